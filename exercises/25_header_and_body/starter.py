MISMATCH, INVALID, FORBIDDEN = -32020, -32602, -32003
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def gateway(headers, body, grants):
    """The server's answer, if the caller may have it."""
    sent = dict(headers)
    name = sent.get("Mcp-Name")
    if body["method"] == "tools/call" and name not in grants["tools/call"]:
        return error(body, FORBIDDEN, f"you may not call {name}")
    return server(body)


# The server behind the gateway. It reads the body, and nothing but the body. Leave it as it is.
def server(body):
    params = body.get("params", {})
    return {"id": body["id"], "result": {"ran": [body["method"], params.get("name", params.get("uri"))]}}


def error(body, code, message):
    return {"id": body["id"], "error": {"code": code, "message": message}}
