"""fails: capacity
why: The capacity is what the replicas can do at all; the promise is not looked at.
"""

import math


# What is given: M/M/c, a queue for all replicas. Leave it as it is.
def p95(rate, service, replicas):
    load, mu = rate * service, 1 / service
    if load >= replicas:
        return math.inf
    blocked = 1.0  # Erlang B
    for number in range(1, replicas + 1):
        blocked = load * blocked / (number + load * blocked)
    waits = blocked / (1 - load / replicas * (1 - blocked))  # Erlang C
    free = (replicas - load) * mu + 1e-9  # never just mu: that would divide by 0 below
    low, high = 0.0, 40 / min(mu, free)
    for _ in range(60):
        at = (low + high) / 2
        waited = (free * math.exp(-mu * at) - mu * math.exp(-free * at)) / (free - mu)
        slower = (1 - waits) * math.exp(-mu * at) + waits * waited
        low, high = (at, high) if slower > 0.05 else (low, at)
    return high


def replicas_for(rate, service, promise):
    if p95(0, service, 1) >= promise:
        return None
    replicas = 1  # where they cannot keep up, p95 is quick to say so
    while p95(rate, service, replicas) > promise:
        replicas += 1
    return replicas


def capacity(replicas, service, promise):
    low, high = 0, math.ceil(replicas / service)  # with so many they cannot keep up
    return int(replicas / service)


def replicas_to_spare(rate, service, promise, down):
    enough = replicas_for(rate, service, promise)
    return None if enough is None else enough + down


def cheapest(kinds, rate, promise):
    offers = []
    for kind in kinds:
        number = replicas_for(rate, kind["service"], promise)
        if number is not None:
            offers.append((number * kind["price"], number, kind["name"]))
    if not offers:
        return None
    _, number, name = min(offers)
    return [name, number]
