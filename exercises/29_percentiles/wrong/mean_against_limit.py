"""fails: slower
why: The mean says how slow it is, as every dashboard of the house does.
"""

import math


def percentile(latencies, percent):
    if not latencies:
        return None
    rank = math.ceil(percent * len(latencies) / 100)
    return sorted(latencies)[max(rank, 1) - 1]


def of_all(servers, percent):
    return percentile([latency for each in servers for latency in each], percent)


def slower(latencies, limit):
    if not latencies:
        return 0.0
    return float(sum(latencies) / len(latencies) > limit)


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
