"""fails: with, worth
why: The protocol itself is counted as one more thing to build.
"""


def without_protocol(hosts, services):
    return hosts * services


def with_protocol(hosts, services):
    return hosts + services + 1


def worth_it_from(hosts):
    if hosts < 2:
        return None
    services = 2
    while with_protocol(hosts, services) >= without_protocol(hosts, services):
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
