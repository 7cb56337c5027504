"""fails: corrected
why: Each slow call gets one more beside it, however long it took.
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
        found.append(ended - at)
    return found


def corrected(record, interval):
    hidden = [took - back for took in record for back in range(interval, took - interval + 1, interval)[:1]]
    return sorted([*record, *hidden])
