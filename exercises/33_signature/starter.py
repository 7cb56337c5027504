class Verifier:
    def __init__(self, secret, window, most):
        self.secret, self.window, self.most = secret, window, most
        self.seen = {}

    def verify(self, header, body, now):
        """malformed, forged, stale, replayed, full or ok."""
        raise NotImplementedError


# For the checks: what is said to deliveries, one after the other, and how much is remembered then. Leave it as it is.
def rehearse(secret, window, most, deliveries):
    verifier = Verifier(secret, window, most)
    said = [verifier.verify(*delivery) for delivery in deliveries]
    return {"said": said, "remembered": len(verifier.seen)}
