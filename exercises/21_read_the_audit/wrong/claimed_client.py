"""fails: told, strangers, since
why: The program says who it is; that is taken for who it is.
"""

import base64
import json
import re


def records(files):
    lines = [parsed(line) for name in sorted(files) for line in files[name]]
    return [line for line in lines if isinstance(line, dict) and "event" not in line]


def holding(files, secret):
    return [record["n"] for record in records(files) if holds(record, secret)]


def told(files, secret):
    answered = [record for record in records(files) if record["outcome"] == "ok"]
    return sorted({record["client"] for record in answered if holds(record["result"], secret)})


def strangers(files, owner):
    return list(dict.fromkeys(record["client"] for record in crossed(files, owner)))


def since_when(files, owner):
    return next((record["at"] for record in crossed(files, owner)), None)


def crossed(files, owner):
    return [
        record
        for record in records(files)
        if record["outcome"] == "ok"
        and record["client"] != owner
        and str(record["result"]).startswith(f"notes of {owner}:")
    ]


def holds(value, secret):
    if isinstance(value, dict):
        return any(holds(name, secret) or holds(each, secret) for name, each in value.items())
    if isinstance(value, list):
        return any(holds(each, secret) for each in value)
    text = str(value)
    return secret in text or any(secret in decoded(word) for word in re.findall(r"[A-Za-z0-9+/]+={0,2}", text))


def decoded(word):
    """What Base64 says; "" if it says nothing."""
    try:
        return base64.b64decode(word, validate=True).decode()
    except ValueError:
        return ""


def parsed(line):
    """A line as JSON; None if it is none."""
    try:
        return json.loads(line)
    except ValueError:
        return None
