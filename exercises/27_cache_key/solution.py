import hashlib
import json


def cache_key(tool, arguments, user, scope):
    parts = [tool, arguments, user if scope == "private" else None]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
