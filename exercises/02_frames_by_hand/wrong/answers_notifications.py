"""fails: reply
why: Every line gets an answer, as in HTTP. Here the peer did not ask for one and will not know what it is.
"""

import json


def request(id, method, params=None):
    return {"id": id, **notification(method, params)}


def notification(method, params=None):
    frame = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        frame["params"] = params
    return frame


def kind(frame):
    if not isinstance(frame, dict) or frame.get("jsonrpc") != "2.0":
        return "invalid"
    has_id = "id" in frame
    good_id = isinstance(frame.get("id"), int | str) and not isinstance(frame.get("id"), bool)
    if has_id and not good_id and "error" not in frame:
        return "invalid"
    shape = {name for name in ("method", "result", "error") if name in frame}
    if shape == {"method"} and isinstance(frame["method"], str):
        return "request" if has_id else "notification"
    if shape == {"result"} and has_id:
        return "result"
    if shape == {"error"} and has_id:
        return "error"
    return "invalid"


def reply(line):
    try:
        frame = json.loads(line)
    except ValueError:
        return failure(None, -32700, "not JSON")
    sort = kind(frame)
    if sort == "invalid":
        return failure(None, -32600, "not a frame")
    if sort in ("result", "error"):
        return None
    frame.setdefault("id", None)
    if frame["method"] != "sum":
        return failure(frame["id"], -32601, "unknown method")
    params = frame.get("params")
    numbers = params.get("numbers") if isinstance(params, dict) else None
    if not isinstance(numbers, list) or not all(is_number(item) for item in numbers):
        return failure(frame["id"], -32602, "numbers must be a list of numbers")
    return {"jsonrpc": "2.0", "id": frame["id"], "result": {"sum": sum(numbers)}}


def failure(id, code, message):
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}


def is_number(item):
    return isinstance(item, int | float) and not isinstance(item, bool)
