"""fails: garbage, torn
why: The log has been written by json.dumps, so json.loads will read it.
"""

import hashlib
import json

START = "0" * 64


def link(before, n, text):
    return hashlib.sha256((f"{before}{n}:" + text).encode()).hexdigest()  # + refuses what is no string


def written(before, n, text):
    return json.dumps({"n": n, "text": text, "hash": link(before, n, text)})


def append(lines, text):
    before = json.loads(lines[-1])["hash"] if lines else START
    return [*lines, written(before, len(lines) + 1, text)]


def first_broken(lines):
    before = START
    for n, line in enumerate(lines, 1):
        try:
            if line != written(before, n, json.loads(line)["text"]):
                return n
        except (KeyError, TypeError):
            return n
        before = json.loads(line)["hash"]
    return None


def torn(lines):
    if first_broken(lines) != len(lines):
        return False
    try:
        json.loads(lines[-1])
    except (ValueError, RecursionError):
        return True
    return False


def proves(lines, head):
    if first_broken(lines) is not None or not 1 <= head["n"] <= len(lines):
        return False
    return json.loads(lines[head["n"] - 1])["hash"] == head["hash"]
