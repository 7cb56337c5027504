"""fails: order
why: The hash covers the number, so looking at the number seems to be double work.
"""

import hashlib
import json

START = "0" * 64


def link(before, n, text):
    return hashlib.sha256(f"{before}{n}:{text}".encode()).hexdigest()


def append(lines, text):
    before = json.loads(lines[-1])["hash"] if lines else START
    n = len(lines) + 1
    return [*lines, json.dumps({"n": n, "text": text, "hash": link(before, n, text)})]


def first_broken(lines):
    before = START
    for n, line in enumerate(lines, 1):
        record = parsed(line)
        if record is None or record.get("hash") != link(before, record.get("n"), record.get("text")):
            return n
        before = record["hash"]
    return None


def torn(lines):
    return first_broken(lines) == len(lines) > 0 and parsed(lines[-1]) is None


def proves(lines, head):
    if first_broken(lines) is not None or not 1 <= head["n"] <= len(lines):
        return False
    return json.loads(lines[head["n"] - 1])["hash"] == head["hash"]


def parsed(line):
    """A line as a dict; None if it is none."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
