"""fails: public
why: The empty name stands for everybody, and is also that of a caller without a token.
"""

import hashlib
import json


def cache_key(tool, arguments, user, scope):
    parts = [tool, arguments, user if scope == "private" else ""]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
