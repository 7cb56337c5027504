class Bucket:
    def __init__(self, rate, burst, now):
        self.rate, self.burst = rate, burst
        self.tokens, self.at = burst, now

    def take(self, now):
        """Take a token: 0. If there is none: the seconds until there is one."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return (1 - self.tokens) / self.rate
        self.tokens -= 1
        return 0


def play(rate, burst, moments):
    """Given: what a bucket, made at the first moment, says to a call at each of them."""
    bucket = Bucket(rate, burst, moments[0])
    return [bucket.take(now) for now in moments]
