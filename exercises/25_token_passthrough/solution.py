import base64
import hmac
import json

SECONDS = 60


def handle(world, request):
    """What the client is answered."""
    headers = {name.lower(): value for name, value in request["headers"].items()}
    claims = caller(world, headers.get("authorization", ""))
    if claims is None:
        return {"status": 401, "error": "a token for this gateway is needed"}
    backend, body = request["backend"], request["body"]
    roles = claims.get("roles", [])
    principal = {"sub": claims["sub"], "roles": roles, "aud": backend, "exp": world.now + SECONDS}
    sent = {name: value for name, value in headers.items() if name == "traceparent" or name.startswith("mcp-")}
    sent["lab-principal"] = sign(world.secrets[backend], principal)
    world.log(f"{claims['sub']} calls {body['params']['name']} of {backend}")
    try:
        return {"status": 200, "answer": world.ask(backend, sent, body)}
    except NoAnswer:
        return {"status": 502, "error": f"{backend} gave no answer"}


def caller(world, authorization):
    """The claims of a token that is good here, or None."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        claims = world.read(token)
    except BadToken:
        return None
    audience = claims.get("aud")
    return claims if world.me in (audience if isinstance(audience, list) else [audience]) else None


# Keys, the world, and how a principal is signed. Leave it as it is.
class BadToken(Exception):
    """None of the issuer's tokens, or one that has expired; the message shows it."""


class NoAnswer(Exception):
    """The backend has not answered; the message shows what it was sent."""


def packed(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def signature(secret, text):
    return hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()


def sign(secret, principal):
    """The value of the header Lab-Principal."""
    return f"{packed(principal)}.{signature(secret, packed(principal))}"


class World:
    def __init__(self, settings):
        self.me, self.now, self.secrets = settings["me"], settings["now"], settings["secrets"]
        self.settings, self.asked, self.lines = settings, [], []

    def read(self, token):
        """The claims of a token. Raises BadToken if its signature is wrong, or its time is over."""
        claims, _, signed = token.partition(".")
        if signature(self.settings["issuer"], claims) != signed:
            raise BadToken(token)
        said = json.loads(base64.urlsafe_b64decode(claims))
        if said["exp"] <= self.now:
            raise BadToken(token)
        return said

    def ask(self, backend, headers, body):
        """The backend's answer."""
        self.asked.append([backend, headers, body])
        if backend in self.settings["away"]:
            raise NoAnswer(repr(self.asked[-1]))
        return self.settings["answer"]

    def log(self, line):
        self.lines.append(line)


def rehearse(settings, request):
    world = World(settings)
    answer = handle(world, request)
    return {"answer": answer, "asked": world.asked, "log": world.lines}
