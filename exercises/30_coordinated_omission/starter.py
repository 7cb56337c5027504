def schedule(rate, seconds):
    return [n * rate for n in range(seconds)]


def latencies(due, service):
    return list(service)


def with_clients(due, service, clients):
    return [latencies(due[n::clients], service[n::clients]) for n in range(clients)]


def corrected(record, interval):
    record.sort()
    return record
