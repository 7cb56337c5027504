"""fails: absent, twice, mismatch, encoded
why: The body is what is run, so the decision is right. Whoever routed or counted by the header was deceived all the
same.
"""

import base64

MISMATCH, INVALID, FORBIDDEN = -32020, -32602, -32003
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def gateway(headers, body, grants):
    """The server's answer, if the caller may have it."""
    method = body["method"]
    if method in NAMED:
        name = body.get("params", {}).get(NAMED[method])
        if not isinstance(name, str):
            return error(body, INVALID, f"{NAMED[method]} is missing")
        if name not in grants.get(method, []):
            return error(body, FORBIDDEN, f"you may not use {name}")
    return server(body)


def values(headers, wanted):
    return [value for name, value in headers if name.lower() == wanted]


def decoded(value):
    """What a header says; None if it cannot be decoded."""
    if not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[len("=?base64?") : -len("?=")], validate=True).decode()
    except ValueError:
        return None


# The server behind the gateway. It reads the body, and nothing but the body. Leave it as it is.
def server(body):
    params = body.get("params", {})
    return {"id": body["id"], "result": {"ran": [body["method"], params.get("name", params.get("uri"))]}}


def error(body, code, message):
    return {"id": body["id"], "error": {"code": code, "message": message}}
