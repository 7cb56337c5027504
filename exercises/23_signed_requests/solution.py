import hmac
import json

WINDOW, AHEAD = 300, 30


def canonical(request):
    """What is signed: a text that no two requests share."""
    headers = [request["headers"].get(name) for name in ("mcp-name", "x-key", "x-time", "x-nonce")]
    return json.dumps([request["method"], request["path"], request["query"], request["body"], headers])


def sign(request, name, secret, now, nonce):
    """The request with the headers of a signature."""
    headers = {**request["headers"], "x-key": name, "x-time": str(now), "x-nonce": nonce}
    headers["x-signature"] = mac(secret, canonical({**request, "headers": headers}))
    return {**request, "headers": headers}


def accepts(door, request):
    """Whether the request is answered."""
    headers = request["headers"]
    secret = door.keys.get(headers.get("x-key"))
    given = headers.get("x-signature", "")
    if secret is None or not hmac.compare_digest(mac(secret, canonical(request)).encode(), given.encode()):
        return False
    signed = int(headers["x-time"])
    if not signed - AHEAD <= door.now < signed + WINDOW:
        return False
    door.seen = {once: until for once, until in door.seen.items() if door.now < until}
    once = headers["x-key"], headers["x-nonce"]
    if once in door.seen:
        return False
    door.seen[once] = signed + WINDOW
    return True


# Leave the rest as it is.
class Door:
    def __init__(self, keys):
        self.keys, self.now, self.seen = keys, 0, {}


def mac(secret, text):
    return hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()


def rehearse(keys, events):
    """What is accepted of requests that come one after the other, each at its time, and how much is remembered then."""
    door, accepted = Door(keys), []
    for now, request in events:
        door.now = now
        accepted.append(accepts(door, request))
    return {"accepted": accepted, "remembered": len(door.seen)}
