"""fails: kinds
why: default=str and str() make a text of every value, and the text 1 is the number 1.
"""

import hashlib
import json


def plain(value):
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return str(value)


def cache_key(tool, arguments, user, scope):
    parts = [tool, plain(arguments), user if scope == "private" else None]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
