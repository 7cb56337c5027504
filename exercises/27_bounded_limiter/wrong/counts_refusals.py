"""fails: refused
why: The call is written down first. Who hammers is never let in again, and everything they send is kept.
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
            self.forget(since)
            if len(self.calls) >= self.most:
                return False
        calls = [at for at in self.calls.get(id, []) if at > since]
        self.calls[id] = [*calls, now]
        return len(calls) < self.limit

    def forget(self, since):
        """Forget the ids whose last call does not count any more."""
        self.calls = {id: calls for id, calls in self.calls.items() if calls[-1] > since}


def play(calls, limit, seconds, most):
    """Given: what a limiter says to calls of [time, id], and how many bytes it then holds."""
    limiter = Limiter(limit, seconds, most)
    answers = [limiter.allow(id, now) for now, id in calls]
    return {"answers": answers, "bytes": len(pickle.dumps(limiter))}
