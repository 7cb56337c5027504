import hmac
import re

HEADER = re.compile("t=([0-9]{1,12}),n=([A-Za-z0-9]{8,40}),v1=([0-9a-f]{64})")


class Verifier:
    def __init__(self, secret, window, most):
        self.secret, self.window, self.most = secret, window, most
        self.seen = {}

    def verify(self, header, body, now):
        """malformed, forged, stale, replayed, full or ok."""
        match = HEADER.fullmatch(header) if header else None
        if match is None:
            return "malformed"
        time, nonce, signature = match.groups()
        signed = f"{time}.{nonce}.{body}".encode()
        if not hmac.compare_digest(hmac.new(self.secret.encode(), signed, "sha256").hexdigest(), signature):
            return "forged"
        if abs(now - int(time)) > self.window:
            return "stale"
        self.seen = {old: last for old, last in self.seen.items() if now <= last}
        if nonce in self.seen:
            return "replayed"
        if len(self.seen) >= self.most:
            return "full"
        self.seen[nonce] = int(time) + self.window
        return "ok"


# For the checks: what is said to deliveries, one after the other, and how much is remembered then. Leave it as it is.
def rehearse(secret, window, most, deliveries):
    verifier = Verifier(secret, window, most)
    said = [verifier.verify(*delivery) for delivery in deliveries]
    return {"said": said, "remembered": len(verifier.seen)}
