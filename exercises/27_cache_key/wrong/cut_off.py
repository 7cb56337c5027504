"""fails: short
why: Cutting makes it short, and calls that differ only further back the same.
"""

import json


def cache_key(tool, arguments, user, scope):
    return json.dumps([tool, arguments, user if scope == "private" else None], sort_keys=True)[:100]
