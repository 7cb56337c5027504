"""fails: together
why: Each server has its percentile already, so the mean of those must be that of all.
"""

import math


def percentile(latencies, percent):
    if not latencies:
        return None
    rank = math.ceil(percent * len(latencies) / 100)
    return sorted(latencies)[max(rank, 1) - 1]


def of_all(servers, percent):
    found = [percentile(each, percent) for each in servers if each]
    return sum(found) / len(found) if found else None


def slower(latencies, limit):
    if not latencies:
        return 0.0
    return sum(latency > limit for latency in latencies) / len(latencies)


def add(one, other):
    return [[bound, count + more] for (bound, count), (_, more) in zip(one, other, strict=True)]


def estimate(histogram, percent):
    calls = histogram[-1][1]
    if calls == 0:
        return None
    rank = percent / 100 * calls
    lower, below = 0.0, 0
    for bound, count in histogram[:-1]:
        if count >= rank:
            return lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return lower
