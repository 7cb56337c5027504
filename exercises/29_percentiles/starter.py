def percentile(latencies, percent):
    latencies.sort()
    return latencies[int(len(latencies) * percent / 100)]


def of_all(servers, percent):
    return sum(percentile(each, percent) for each in servers) / len(servers)


def slower(latencies, limit):
    return 1.0 if sum(latencies) / len(latencies) > limit else 0.0


def add(one, other):
    return one + other


def estimate(histogram, percent):
    for bound, count in histogram:
        if count > percent:
            return bound
