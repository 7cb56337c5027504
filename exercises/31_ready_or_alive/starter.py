def answer(path, state):
    """The status of /health or /ready in this state."""
    raise NotImplementedError


def in_service(probe, looks):
    """After each look of the readiness probe: does the replica get calls?"""
    raise NotImplementedError


def restarts(startup, liveness, looks):
    """The indices of the looks after which the container is started anew."""
    raise NotImplementedError
