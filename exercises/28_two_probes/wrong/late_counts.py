"""fails: late
why: Every answer is information. When the question was asked is not looked at.
"""


class Breaker:
    def __init__(self, failures, cooldown, probes):
        self.failures, self.cooldown, self.probes = failures, cooldown, probes
        self.era = 0
        self.turn("closed", 0)

    def turn(self, state, now):
        """Another state, and another era: nothing that began before counts any more."""
        self.state, self.since = state, now
        self.era += 1
        self.failed = self.good = 0
        self.places = self.probes

    def admit(self, now):
        """A permit for one call, or None."""
        if self.state == "open" and now - self.since >= self.cooldown:
            self.turn("half-open", now)
        if self.state == "open" or (self.state == "half-open" and self.places == 0):
            return None
        self.places -= 1
        return self.era

    def end(self, permit, outcome, now):
        """The call with this permit was "good", has "failed", or was "cancelled"."""
        if outcome == "cancelled":
            self.places += 1
        elif outcome == "failed":
            self.failed += 1
            if self.state == "half-open" or self.failed == self.failures:
                self.turn("open", now)
        else:
            self.failed = 0
            self.good += 1
            if self.state == "half-open" and self.good == self.probes:
                self.turn("closed", now)


# The rehearsal: calls begin and end as in a script, at its times. Leave it as it is.
def rehearse(settings, events):
    breaker, permits, log = Breaker(**settings), [], []
    for kind, now, *rest in events:
        if kind == "call":
            permits.append(breaker.admit(now))
            log.append([permits[-1] is not None, breaker.state])
        else:
            number, outcome = rest
            breaker.end(permits[number], outcome, now)
            log.append(breaker.state)
    return log
