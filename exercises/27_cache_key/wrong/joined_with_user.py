"""fails: same, apart, kinds, public
why: The user is in it now, and everything is still joined: a separator in a text makes two calls one.
"""

import hashlib


def cache_key(tool, arguments, user, scope):
    parts = [tool, *(f"{name}={value}" for name, value in arguments.items()), user if scope == "private" else ""]
    return hashlib.sha256(":".join(parts).encode()).hexdigest()
