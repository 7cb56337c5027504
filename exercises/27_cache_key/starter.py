import hashlib


def cache_key(tool, arguments, user, scope):
    parts = [tool, *(f"{name}={value}" for name, value in arguments.items())]
    return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()
