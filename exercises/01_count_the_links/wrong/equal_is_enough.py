"""fails: worth
why: At least as good is not strictly fewer: with two hosts the turning point comes one service later.
"""


def without_protocol(hosts, services):
    return hosts * services


def with_protocol(hosts, services):
    return hosts + services


def worth_it_from(hosts):
    if hosts < 2:
        return None
    services = 2
    while with_protocol(hosts, services) > without_protocol(hosts, services):
        services += 1
    return services


ROLES = {
    "asks the person before a dangerous tool runs": "host",
    "keeps the connection to exactly one server": "client",
    "says which tools there are and runs them": "server",
    "decides which servers to start": "host",
    "turns a method and its parameters into a frame": "client",
    "checks the arguments of a call against the schema it published": "server",
}
