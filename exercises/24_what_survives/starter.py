def survivors(packaging, servers, killed):
    """The tools that work when this process has ended, as "server.tool", sorted."""
    raise NotImplementedError


def worst(packaging, servers):
    """The process whose end leaves the fewest tools."""
    raise NotImplementedError


def choose(packagings, servers):
    """The packaging that keeps the most when its worst process ends."""
    raise NotImplementedError
