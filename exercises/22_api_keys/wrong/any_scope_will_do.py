"""fails: scopes, use
why: Whoever has a key is let in: nobody looks what it is for.
"""

import hmac

OVERLAP = 3600
"""Seconds."""


class Keys:
    def __init__(self, world):
        self.world = world

    def valid(self, row):
        return row["until"] is None or self.world.now() < row["until"]

    def issue(self, who, scopes):
        """A new key for somebody, for these scopes."""
        key = self.world.random()
        self.world.rows.append({"who": who, "hash": self.world.digest(key), "scopes": list(scopes), "until": None})
        return key

    def check(self, key, scope):
        """Who calls with this key, and whether it may do that."""
        given, found = self.world.digest(key or ""), None
        for row in self.world.rows:
            if self.world.same(row["hash"], given) and self.valid(row):
                found = row
        if found is None:
            answer = {"status": 401}
        else:
            answer = {"status": 200, "who": found["who"]}
        self.world.log(f"{answer.get('who', 'unknown')} {scope}: {answer['status']}")
        return answer

    def rotate(self, who):
        """A new key in place of the one that somebody has."""
        valid = [row for row in self.world.rows if row["who"] == who and self.valid(row)]
        if not valid:
            return None
        old = valid[-1]
        old["until"] = self.world.now() + OVERLAP
        self.world.rows = [row for row in self.world.rows if row["who"] != who or row is old]
        return self.issue(who, old["scopes"])

    def revoke(self, who):
        """No key of somebody is good any more."""
        self.world.rows = [row for row in self.world.rows if row["who"] != who]


# Leave the rest as it is.
class World:
    def __init__(self, settings):
        self.pepper, self.keys, self.time = settings["pepper"], iter(settings["keys"]), settings["now"]
        self.rows, self.lines, self.digests, self.compared = [], [], 0, 0

    def now(self):
        return self.time

    def random(self):
        """A key that nobody can guess."""
        return next(self.keys)

    def digest(self, key):
        """A keyed hash: who has the rows and not the pepper cannot try keys. It takes a while."""
        self.digests += 1
        return hmac.new(self.pepper.encode(), key.encode(), "sha256").hexdigest()

    def same(self, one, other):
        """Whether two hashes are equal, in a time that does not say where they differ."""
        self.compared += 1
        return hmac.compare_digest(one, other)

    def log(self, line):
        self.lines.append(line)


def rehearse(settings, events):
    """What comes of requests while keys change: results, what each cost, the rows, the log."""
    world = World(settings)
    keys, results, costs = Keys(world), [], []
    for event in events:
        name, *values = event
        if name == "time":
            world.time = values[0]
            continue
        world.digests = world.compared = 0
        results.append(getattr(keys, name)(*values))
        costs.append([world.digests, world.compared])
    return {"results": results, "costs": costs, "rows": world.rows, "log": world.lines}
