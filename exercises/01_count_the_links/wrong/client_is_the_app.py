"""fails: roles
why: In everyday speech the application is the client. Here it is the host, which holds clients.
"""


def without_protocol(hosts, services):
    return hosts * services


def with_protocol(hosts, services):
    return hosts + services


def worth_it_from(hosts):
    if hosts < 2:
        return None
    services = 2
    while with_protocol(hosts, services) >= without_protocol(hosts, services):
        services += 1
    return services


ROLES = {
    "asks the person before a dangerous tool runs": "client",
    "keeps the connection to exactly one server": "client",
    "says which tools there are and runs them": "server",
    "decides which servers to start": "client",
    "turns a method and its parameters into a frame": "client",
    "checks the arguments of a call against the schema it published": "server",
}
