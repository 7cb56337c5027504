"""fails: short
why: Nothing is ambiguous, and a caller decides how much memory each key takes.
"""

import json


def cache_key(tool, arguments, user, scope):
    return json.dumps([tool, arguments, user if scope == "private" else None], sort_keys=True)
