"""fails: encoded
why: The text is looked at as it is, and nobody reads Base64.
"""

import base64
import json
import re

NAMES = {"password", "ssn", "creditcard", "apikey"}
CARD = re.compile(r"(?<![0-9])(?<![0-9][ -])(?:[0-9][ -]?){15}[0-9](?![ -]?[0-9])")
WORD = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")


def redact(value):
    hidden = {"field": 0, "card": 0}
    return {"value": copy(value, hidden), "hidden": hidden}


def copy(value, hidden):
    if isinstance(value, dict):
        return {name: blank(each, hidden) if secret(name) else copy(each, hidden) for name, each in value.items()}
    if isinstance(value, list):
        return items(value, hidden)
    return text(value, hidden) if isinstance(value, str) else value


def secret(name):
    return re.sub("[-_ ]", "", name).lower() in NAMES


def blank(value, hidden):
    if value is None or isinstance(value, bool):
        return value
    hidden["field"] += 1
    return 0 if isinstance(value, int | float) else "***"


def items(values, hidden):
    copies = list(values)
    split = set()
    for at in range(len(values) - 1):
        one, two = values[at : at + 2]
        both = isinstance(one, str) and isinstance(two, str) and at not in split
        if both and not cards(one) and not cards(two) and cards(one + two):
            hidden["card"] += 1
            split |= {at, at + 1}
    for at, value in enumerate(values):
        copies[at] = "***" if at in split else copy(value, hidden)
    return copies


def text(value, hidden):
    before = dict(hidden)
    inside = parsed(value)
    if inside is not None:
        inside = copy(inside, hidden)
        return value if hidden == before else json.dumps(inside)
    if False:
        hidden["card"] += 1
        return "***"

    def card(found):
        if not is_card(found[0]):
            return found[0]
        hidden["card"] += 1
        return "***"

    def word(found):
        if not cards(decoded(found[0])):
            return found[0]
        hidden["card"] += 1
        return "***"

    return CARD.sub(card, value)


def parsed(value):
    """The object or list that a text is as a whole; None if it is none."""
    try:
        found = json.loads(value)
    except ValueError:
        return None
    return found if isinstance(found, dict | list) else None


def decoded(word):
    """What Base64 says; "" if it says nothing."""
    try:
        return base64.b64decode(word, validate=True).decode()
    except ValueError:
        return ""


def cards(value):
    return any(is_card(found) for found in CARD.findall(value))


def is_card(found):
    return luhn(re.sub("[ -]", "", found))


def luhn(digits):
    """Whether the last digit of a card number is the one that fits the others."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0
