"""fails: holding, told
why: The Base64 of the secret is searched for: it looks so only where the secret begins at the beginning.
"""

import base64
import json


def records(files):
    lines = [parsed(line) for name in sorted(files) for line in files[name]]
    return [line for line in lines if isinstance(line, dict) and "event" not in line]


def holding(files, secret):
    return [record["n"] for record in records(files) if holds(record, secret)]


def told(files, secret):
    answered = [record for record in records(files) if record["outcome"] == "ok"]
    return sorted({record["who"] for record in answered if holds(record["result"], secret)})


def strangers(files, owner):
    return list(dict.fromkeys(record["who"] for record in crossed(files, owner)))


def since_when(files, owner):
    return next((record["at"] for record in crossed(files, owner)), None)


def crossed(files, owner):
    return [
        record
        for record in records(files)
        if record["outcome"] == "ok"
        and record["who"] != owner
        and str(record["result"]).startswith(f"notes of {owner}:")
    ]


def holds(value, secret):
    if isinstance(value, dict):
        return any(holds(name, secret) or holds(each, secret) for name, each in value.items())
    if isinstance(value, list):
        return any(holds(each, secret) for each in value)
    text = str(value)
    return secret in text or base64.b64encode(secret.encode()).decode() in text


def parsed(line):
    """A line as JSON; None if it is none."""
    try:
        return json.loads(line)
    except ValueError:
        return None
