def redact(value):
    """A copy without secrets: `<secret N>` stands for each."""
    raise NotImplementedError


# For the checks: the copy, and the value after it was copied. Leave it as it is.
def rehearse(value):
    return [redact(value), value]
