"""fails: copy
why: The arguments are masked where they are, and the tool gets the stars.
"""

import re

SECRET = {"password", "token", "secret", "authorization", "apikey"}


def mask(value, limit=40):
    if isinstance(value, dict):
        for name in value:
            value[name] = "***" if is_secret(name) else mask(value[name], limit)
        return value
    if isinstance(value, list):
        return [mask(each, limit) for each in value]
    if isinstance(value, str):
        text = re.sub(r"Bearer \S+", "Bearer ***", value)
        return text if len(text) <= limit else text[:limit] + "..."
    return value


def is_secret(name):
    return name.lower().replace("-", "").replace("_", "") in SECRET


def record(call, outcome):
    return {
        "who": call["principal"],
        "tool": call["tool"],
        "arguments": mask(call["arguments"]),
        "outcome": outcome,
        "ms": round((call["ended"] - call["began"]) * 1000),
    }


def run(call):
    kept = record(call, "ok")
    return {"answer": login(**call["arguments"]), "record": kept}


def login(user, password):
    return f"{user} logs in with a password of {len(password)}"
