"""fails: invalid
why: isinstance(True, int) is true, and so true is an id.
"""

import inspect
import json


def dispatch(line, methods):
    """The reply to one line, as a dict; None where there is none."""
    try:
        frame = json.loads(line)
    except ValueError:
        return reply(None, failure(-32700, "this is no JSON"))
    if not isinstance(frame, dict):
        return reply(None, failure(-32600, "one object at a time"))
    if "method" not in frame and ("result" in frame or "error" in frame):
        return None
    id = frame["id"] if is_id(frame.get("id")) else None
    if frame.get("jsonrpc") != "2.0" or not isinstance(frame.get("method"), str) or ("id" in frame and id is None):
        return reply(id, failure(-32600, "this is no request and no notification"))
    outcome = work(frame["method"], frame.get("params", {}), methods)
    return reply(id, outcome) if "id" in frame else None


def work(method, params, methods):
    """The member of the reply that says how it went."""
    if method not in methods:
        return failure(-32601, "there is no such method")
    try:
        inspect.signature(methods[method]).bind(**params)
    except TypeError:
        return failure(-32602, "the method does not take these parameters")
    try:
        return {"result": methods[method](**params)}
    except Exception:
        return failure(-32603, "the method failed")


def is_id(value):
    return isinstance(value, int | str)


def failure(code, message):
    return {"error": {"code": code, "message": message}}


def reply(id, outcome):
    return {"jsonrpc": "2.0", "id": id, **outcome}


# For the checks: what is replied to these lines, and what was really called. Leave it as it is.
CALLED = []


def add(a, b=1):
    CALLED.append(["add", a, b])
    return {"sum": a + b}


def forget():
    CALLED.append(["forget"])
    return {}


def fail(kind, text):
    CALLED.append(["fail", kind])
    raise {"TypeError": TypeError, "KeyError": KeyError, "ValueError": ValueError}[kind](text)


def rehearse(lines):
    CALLED.clear()
    methods = {"add": add, "forget": forget, "fail": fail}
    return {"replies": [dispatch(line, methods) for line in lines], "called": CALLED}
