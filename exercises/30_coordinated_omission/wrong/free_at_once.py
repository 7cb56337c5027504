"""fails: latencies, gaps, clients
why: A call is sent as soon as its client is free, though it is not due yet.
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
        ended = free[0] + takes
        heapq.heapreplace(free, ended)
        found.append(ended - at)
    return found


def corrected(record, interval):
    hidden = [took - back for took in record for back in range(interval, took - interval + 1, interval)]
    return sorted([*record, *hidden])
