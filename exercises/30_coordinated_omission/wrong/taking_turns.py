"""fails: clients
why: Clients take the calls in turn: the calls of a busy one wait though others are idle.
"""


def schedule(rate, seconds):
    return list(range(0, 1000 * seconds, 1000 // rate))


def latencies(due, service):
    return with_clients(due, service, 1)


def with_clients(due, service, clients):
    free = [0] * clients
    found = []
    for n, (at, takes) in enumerate(zip(due, service, strict=True)):
        ended = max(at, free[n % clients]) + takes
        free[n % clients] = ended
        found.append(ended - at)
    return found


def corrected(record, interval):
    hidden = [took - back for took in record for back in range(interval, took - interval + 1, interval)]
    return sorted([*record, *hidden])
