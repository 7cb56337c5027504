class Autoscaler:
    def __init__(self, target, tolerance, least, most, cooldown, idle):
        self.target, self.tolerance = target, tolerance
        self.least, self.most = least, most
        self.cooldown, self.idle = cooldown, idle
        self.changed = None

    def wanted(self, seen):
        replicas = seen["ready"] + seen["starting"]
        found = round(replicas * seen["busy"] / self.target)
        if self.changed is not None and seen["now"] - self.changed < self.cooldown:
            return replicas
        if found != replicas:
            self.changed = seen["now"]
        return max(self.least, min(found, self.most))


# The rehearsal: what is seen, look by look. Leave it as it is.
def rehearse(settings, looks):
    scaler = Autoscaler(**settings)
    return [scaler.wanted(seen) for seen in looks]
