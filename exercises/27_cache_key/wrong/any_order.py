"""fails: same
why: Only the outer members are sorted; in an object inside of a list they come as they were sent.
"""

import hashlib
import json


def cache_key(tool, arguments, user, scope):
    parts = [tool, sorted(arguments.items()), user if scope == "private" else None]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
