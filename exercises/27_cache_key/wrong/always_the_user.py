"""fails: public
why: Safe, and everybody waits for an answer that is there already.
"""

import hashlib
import json


def cache_key(tool, arguments, user, scope):
    return hashlib.sha256(json.dumps([tool, arguments, user, scope], sort_keys=True).encode()).hexdigest()
