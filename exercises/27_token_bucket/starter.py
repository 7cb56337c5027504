class Bucket:
    def __init__(self, rate, burst, now): ...

    def take(self, now):
        """Take a token: 0. If there is none: the seconds until there is one."""


def play(rate, burst, moments):
    """Given: what a bucket, made at the first moment, says to a call at each of them."""
    bucket = Bucket(rate, burst, moments[0])
    return [bucket.take(now) for now in moments]
