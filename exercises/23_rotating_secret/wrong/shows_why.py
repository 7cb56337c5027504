"""fails: shown, old
why: The text of an exception was made for whoever debugs, and has in it what it was about.
"""

KEEP = 60


class Payments:
    def __init__(self, world):
        self.world, self.kept, self.until = world, None, 0

    def key(self):
        """The key for the bank. Raises StoreAway."""
        now = self.world.now()
        if self.kept is None or now >= self.until:
            self.kept = None
            self.kept, self.until = self.world.read("bank"), now + KEEP
        return self.kept

    def pay(self, cents):
        """What the bank answers."""
        try:
            key = self.key()
            answer = self.world.ask(key, cents)
            if answer["status"] == 401:
                self.kept = None
                if self.key() != key:
                    answer = self.world.ask(self.key(), cents)
        except StoreAway as error:
            answer = {"status": 503, "error": str(error)}
        self.world.log(f"paid {cents}: {answer['status']}")
        return answer


# Leave the rest as it is.
class StoreAway(Exception):
    """The store does not answer; the message shows what it said last."""


class World:
    def __init__(self, settings):
        self.time, self.good, self.stored, self.away = 0, settings["key"], settings["key"], False
        self.reads, self.asked, self.lines = 0, [], []

    def now(self):
        return self.time

    def read(self, name):
        """The secret of that name as it is now. Raises StoreAway."""
        self.reads += 1
        if self.away:
            raise StoreAway(f"{name}={self.stored}")
        return self.stored

    def ask(self, key, cents):
        """The bank's answer."""
        self.asked.append(key)
        return {"status": 200, "cents": cents} if key == self.good else {"status": 401, "error": "unknown key"}

    def log(self, line):
        self.lines.append(line)


def rehearse(settings, events):
    """What comes of payments, while time passes and keys change: results, keys used, reads and lines of the log."""
    world = World(settings)
    payments, results = Payments(world), []
    for event in events:
        for name in ("time", "good", "stored", "away"):
            if name in event:
                setattr(world, name, event[name])
        if "pay" in event:
            results.append(payments.pay(event["pay"]))
    return {"results": results, "asked": world.asked, "reads": world.reads, "log": world.lines}
