import re

NAMES = {"password", "ssn", "creditcard", "apikey"}
CARD = re.compile(r"[0-9]{4} [0-9]{4} [0-9]{4} [0-9]{4}")


def redact(value):
    kept = {name: each for name, each in value.items() if name.lower() not in NAMES}
    hidden = {"field": len(value) - len(kept), "card": 0}
    for name, each in kept.items():
        if isinstance(each, str):
            kept[name], found = CARD.subn("***", each)
            hidden["card"] += found
    return {"value": kept, "hidden": hidden}


def luhn(digits):
    """Whether the last digit of a card number is the one that fits the others."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0
