import pickle


class Limiter:
    def __init__(self, limit, seconds, most):
        self.limit, self.seconds, self.most = limit, seconds, most
        self.calls = {}

    def allow(self, id, now):
        """Whether a call of `id` at this time is let through."""
        calls = self.calls.setdefault(id, [])
        calls.append(now)
        return len([at for at in calls if at > now - self.seconds]) <= self.limit


def play(calls, limit, seconds, most):
    """Given: what a limiter says to calls of [time, id], and how many bytes it then holds."""
    limiter = Limiter(limit, seconds, most)
    answers = [limiter.allow(id, now) for now, id in calls]
    return {"answers": answers, "bytes": len(pickle.dumps(limiter))}
