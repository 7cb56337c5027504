TYPES = {"null", "boolean", "integer", "number", "string", "array", "object"}


def breaks(known, offered):
    """Where callers who know the tools `known` would fail with the tools `offered`: a sorted list of [tool, place]."""
    raise NotImplementedError
