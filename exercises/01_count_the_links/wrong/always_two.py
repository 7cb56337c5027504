"""fails: worth
why: Two seems enough for everything, but two and two is four either way, and one host never gains.
"""


def without_protocol(hosts, services):
    return hosts * services


def with_protocol(hosts, services):
    return hosts + services


def worth_it_from(hosts):
    return 2


ROLES = {
    "asks the person before a dangerous tool runs": "host",
    "keeps the connection to exactly one server": "client",
    "says which tools there are and runs them": "server",
    "decides which servers to start": "host",
    "turns a method and its parameters into a frame": "client",
    "checks the arguments of a call against the schema it published": "server",
}
