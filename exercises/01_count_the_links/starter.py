def without_protocol(hosts, services): ...


def with_protocol(hosts, services): ...


def worth_it_from(hosts): ...


# Replace each ... by "host", "client" or "server".
ROLES = {
    "asks the person before a dangerous tool runs": ...,
    "keeps the connection to exactly one server": ...,
    "says which tools there are and runs them": ...,
    "decides which servers to start": ...,
    "turns a method and its parameters into a frame": ...,
    "checks the arguments of a call against the schema it published": ...,
}
