"""fails: room, reset, silence
why: As a cache would do it. Whoever makes up enough ids is rid of their own past.
"""

import pickle


class Limiter:
    def __init__(self, limit, seconds, most):
        self.limit, self.seconds, self.most = limit, seconds, most
        self.calls = {}

    def allow(self, id, now):
        """Whether a call of `id` at this time is let through."""
        since = now - self.seconds
        if id not in self.calls and len(self.calls) >= self.most:
            del self.calls[next(iter(self.calls))]
        calls = [at for at in self.calls.get(id, []) if at > since]
        if len(calls) < self.limit:
            self.calls[id] = [*calls, now]
            return True
        return False

    def forget(self, since):
        """Forget the ids whose last call does not count any more."""
        self.calls = {id: calls for id, calls in self.calls.items() if calls[-1] > since}


def play(calls, limit, seconds, most):
    """Given: what a limiter says to calls of [time, id], and how many bytes it then holds."""
    limiter = Limiter(limit, seconds, most)
    answers = [limiter.allow(id, now) for now, id in calls]
    return {"answers": answers, "bytes": len(pickle.dumps(limiter))}
