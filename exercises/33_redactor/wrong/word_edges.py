"""fails: keys, safe
why: The edge of a word looks right. But a hyphen is no part of a word for it, and é is one.
"""

import re

SECRET = re.compile(
    r"""
    \b
    (?P<key> AKIA[A-Z0-9]{16} | ghp_[A-Za-z0-9]{36} | sk-[A-Za-z0-9_-]{20,}
           | eyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{8,} )
    \b
    | (?P<before> ://[^/:@\s]*: ) (?P<password> [^/:@\s]+ ) (?=@)
    """,
    re.VERBOSE,
)


def redact(value):
    """A copy without secrets: `<secret N>` stands for each."""
    labels = {}

    def label(match):
        secret = match["key"] or match["password"]
        return (match["before"] or "") + labels.setdefault(secret, f"<secret {len(labels) + 1}>")

    def copy(value):
        if isinstance(value, dict):
            return {SECRET.sub(label, name): copy(each) for name, each in value.items()}
        if isinstance(value, list):
            return [copy(each) for each in value]
        return SECRET.sub(label, value) if isinstance(value, str) else value

    return copy(value)


# For the checks: the copy, and the value after it was copied. Leave it as it is.
def rehearse(value):
    return [redact(value), value]
