"""fails: latencies, gaps, clients
why: The clock starts when the call is sent, which is what every stopwatch around a call does.
"""

import heapq


def schedule(rate, seconds):
    return list(range(0, 1000 * seconds, 1000 // rate))


def latencies(due, service):
    return with_clients(due, service, 1)


def with_clients(due, service, clients):
    free = [0] * clients
    found = []
    for at, takes in zip(due, service, strict=True):
        ended = max(at, free[0]) + takes
        heapq.heapreplace(free, ended)
        found.append(takes)
    return found


def corrected(record, interval):
    hidden = [took - back for took in record for back in range(interval, took - interval + 1, interval)]
    return sorted([*record, *hidden])
