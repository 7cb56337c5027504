"""fails: starting
why: The ratio is applied to all that were asked for; those that start were not measured.
"""


class Autoscaler:
    def __init__(self, target, tolerance, least, most, cooldown, idle):
        self.target, self.tolerance = target, tolerance
        self.least, self.most = least, most
        self.cooldown, self.idle = cooldown, idle
        self.past = []

    def wanted(self, seen):
        now, replicas = seen["now"], seen["ready"] + seen["starting"]
        asked = min(max(self.asked(seen, replicas), self.lowest(seen, replicas)), self.most)
        self.past.append((now, asked))
        highest = max(number for at, number in self.past if at >= now - self.cooldown)
        return max(asked, min(highest, replicas))

    def asked(self, seen, replicas):
        """What the measure alone says."""
        busy = seen["busy"]
        if abs(busy - self.target) * 100 <= self.tolerance * self.target:
            return replicas
        enough = -(-replicas * busy // self.target)
        if busy > self.target:
            return max(enough, replicas)
        return replicas if seen["starting"] else enough

    def lowest(self, seen, replicas):
        """The last replica stays while it may be needed."""
        needed = seen["waiting"] > 0 or (replicas > 0 and seen["idle"] < self.idle)
        return max(self.least, 1 if needed else 0)


# The rehearsal: what is seen, look by look. Leave it as it is.
def rehearse(settings, looks):
    scaler = Autoscaler(**settings)
    return [scaler.wanted(seen) for seen in looks]
