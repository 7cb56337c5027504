"""fails: signature
why: The signature is verified when there is one: without it, the claims are taken as they are.
"""

import httpx2
import jwt
from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver.exceptions import ToolError

DEFAULTS = {
    "RANGE_ISSUER": "https://login.range.example",
    "RANGE_ISSUER_KEY": """{"kty": "EC", "crv": "P-256", "alg": "ES256",
        "x": "fs-HqdGZi99_EnUKqZ1oOgzdE_V-jr8WeUAyZCW1_rg", "y": "9lWgVIa6E0EzOO_b7XKrTbyCx5DmUT6v7H8kiujlwNE"}""",
    "RANGE_RESOURCE": "https://payroll.range.example/mcp",
    "RANGE_UPSTREAM": "",
    "RANGE_UPSTREAM_KEY": "",
}


def verify(settings, token):
    """The claims of a token that is good here; None for any other."""
    options = {"require": ["iss", "aud", "exp", "sub"], "verify_signature": not token.endswith(".")}
    try:
        return jwt.decode(
            token,
            jwt.PyJWK.from_json(settings["RANGE_ISSUER_KEY"]),
            algorithms=["ES256"],
            audience=settings["RANGE_RESOURCE"],
            issuer=settings["RANGE_ISSUER"],
            options=options,
        )
    except jwt.PyJWTError:
        return None


def outgoing(settings, token, subject):
    """The headers of a request to the service with the payslips, made for this subject."""
    return {"authorization": f"Bearer {settings['RANGE_UPSTREAM_KEY']}", "x-on-behalf-of": subject}


# The server around them. Leave it as it is.
class Verifier:
    """Asked by the SDK about each token; a request without a good one is answered with 401."""

    def __init__(self, settings):
        self.settings = settings

    async def verify_token(self, token):
        claims = verify(self.settings, token)
        if claims is None:
            return None
        subject = str(claims.get("sub"))
        return AccessToken(token=token, client_id=subject, scopes=[], subject=subject)


def app(env):
    settings = {name: env.get(name, value) for name, value in DEFAULTS.items()}
    issuer, resource = settings["RANGE_ISSUER"], settings["RANGE_RESOURCE"]
    auth = AuthSettings(issuer_url=issuer, resource_server_url=resource, validate_token_resource=False)
    server = MCPServer("fixed-tokens", token_verifier=Verifier(settings), auth=auth, log_level="ERROR")

    @server.tool()
    async def payslip() -> str:
        """The last payslip of whoever calls."""
        caller = get_access_token()
        if not settings["RANGE_UPSTREAM"]:
            return f"{caller.subject} has no payslip yet"
        headers = outgoing(settings, caller.token, caller.subject)
        async with httpx2.AsyncClient(base_url=settings["RANGE_UPSTREAM"], trust_env=False) as http:
            answer = await http.get("/payslip", headers=headers)
        if answer.status_code != 200:
            raise ToolError(f"the service with the payslips answered with {answer.status_code}")
        return answer.text

    return server.streamable_http_app()


if __name__ == "__main__":
    from labkit.range import run

    run(app=app)
