"""fails: innocent
why: Everything that contains such a word is hidden, to be on the safe side.
"""

import re

SECRET = {"password", "token", "secret", "authorization", "apikey"}


def mask(value, limit=40):
    if isinstance(value, dict):
        return {name: "***" if is_secret(name) else mask(each, limit) for name, each in value.items()}
    if isinstance(value, list):
        return [mask(each, limit) for each in value]
    if isinstance(value, str):
        text = re.sub(r"Bearer \S+", "Bearer ***", value)
        return text if len(text) <= limit else text[:limit] + "..."
    return value


def is_secret(name):
    return any(word in name.lower().replace("-", "").replace("_", "") for word in SECRET)


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
