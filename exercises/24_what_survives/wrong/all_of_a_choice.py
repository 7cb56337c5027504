"""fails: choices
why: A fallback is counted as one more thing that can break.
"""


def survivors(packaging, servers, killed):
    """The tools that work when this process has ended, as "server.tool", sorted."""
    up = {server for process, inside in packaging.items() if process != killed for server in inside}
    needs = {f"{server}.{tool}": servers[server][tool] for server in up for tool in servers[server]}
    works = set(needs)
    while True:
        left = {name for name in works if all(met(need, works) for need in needs[name])}
        if left == works:
            return sorted(works)
        works = left


def met(need, works):
    choice = [need] if isinstance(need, str) else need
    return all(name in works for name in choice)


def worst(packaging, servers):
    """The process whose end leaves the fewest tools."""
    return min(packaging, key=lambda process: (len(survivors(packaging, servers, process)), process))


def choose(packagings, servers):
    """The packaging that keeps the most when its worst process ends."""

    def rank(name):
        packaging = packagings[name]
        kept = len(survivors(packaging, servers, worst(packaging, servers)))
        return (-kept, len(packaging), name)

    return min(packagings, key=rank)
