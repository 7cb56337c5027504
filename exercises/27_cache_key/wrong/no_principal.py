"""fails: private, public
why: Tool and arguments name the call beyond doubt, and the answer depends on who asks.
"""

import hashlib
import json


def cache_key(tool, arguments, user, scope):
    return hashlib.sha256(json.dumps([tool, arguments], sort_keys=True).encode()).hexdigest()
