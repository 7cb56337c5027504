class Breaker:
    def __init__(self, failures, cooldown, probes):
        self.failures, self.cooldown, self.probes = failures, cooldown, probes
        self.state, self.since, self.failed = "closed", 0, 0

    def admit(self, now):
        if self.state == "open" and now - self.since > self.cooldown:
            self.state = "half-open"
        return None if self.state == "open" else True

    def end(self, permit, outcome, now):
        if outcome == "good":
            self.state, self.failed = "closed", 0
        else:
            self.failed += 1
            if self.failed >= self.failures:
                self.state, self.since = "open", now


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
