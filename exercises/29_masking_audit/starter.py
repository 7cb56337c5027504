import re

SECRET = {"password", "token", "secret", "authorization", "apikey"}


def mask(value, limit=40):
    for name in value:
        if name in SECRET:
            value[name] = "***"
        elif isinstance(value[name], str):
            value[name] = re.sub(r"Bearer \S+", "Bearer ***", value[name][:limit])
    return value


def record(call, outcome):
    return {
        "who": call["arguments"].get("user"),
        "tool": call["tool"],
        "arguments": mask(call["arguments"]),
        "outcome": outcome,
        "ms": call["ended"] - call["began"],
    }


def run(call):
    kept = record(call, "ok")
    return {"answer": login(**call["arguments"]), "record": kept}


def login(user, password):
    return f"{user} logs in with a password of {len(password)}"
