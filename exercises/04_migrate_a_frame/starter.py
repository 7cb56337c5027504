PREFIX = "io.modelcontextprotocol/"


def modernize(frame, client): ...


def http_headers(frame): ...


def state_of(result): ...
