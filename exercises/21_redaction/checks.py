"""Checks of 21_redaction. Card numbers, names, depths and places are made from the seed."""

import base64
import json
import random
import string
from typing import Any
from urllib.parse import quote

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

NAMES = [
    "password",
    "Password",
    "ssn",
    "SSN",
    "credit_card",
    "creditCard",
    "Credit-Card",
    "api_key",
    "API KEY",
    "apikey",
]


def word(rng: random.Random, length: int = 8) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=length))


def fits(digits: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(each - 9 * (each > 9) for each in doubled) % 10 == 0


def card(rng: random.Random, good: bool = True) -> str:
    body = "4" + "".join(rng.choices(string.digits, k=14))
    last = next(digit for digit in string.digits if fits(body + digit))
    return body + (last if good else str((int(last) + rng.randint(1, 9)) % 10))


def grouped(number: str, mark: str) -> str:
    return mark.join(number[at : at + 4] for at in range(0, 16, 4))


def look(submission: Submission, given: Any, wanted: Any, field: int, cards: int) -> None:
    told = submission.call("redact", given)
    expect(told, {"value": wanted, "hidden": {"field": field, "card": cards}}, f"redact({given!r})")


@check(
    "attack: a secret name at any depth, however it is written",
    points=3,
    reason="Results are nested as the database is; a password is no less one in the third level.",
    about="redact",
)
def test_depth(submission: Submission, rng: random.Random) -> None:
    for name in NAMES:
        given: Any = {name: word(rng), "n": 1}
        wanted: Any = {name: "***", "n": 1}
        for level in range(rng.randint(1, 5)):
            if rng.random() < 0.5:
                given, wanted = {f"level{level}": given}, {f"level{level}": wanted}
            else:
                given, wanted = [level, given], [level, wanted]
        look(submission, given, wanted, 1, 0)
    inside = {"user": word(rng), "ssn": [word(rng)]}
    look(
        submission,
        {"credit card": inside, "rows": [{"password": [1, 2]}]},
        {"credit card": "***", "rows": [{"password": "***"}]},
        2,
        0,
    )


@check(
    "attack: a card in groups, and several of them",
    points=2,
    reason="People write it as it stands on the card; programs write it with hyphens, or with nothing.",
    about="redact",
)
def test_groups(submission: Submission, rng: random.Random) -> None:
    for mark in ("", " ", "-"):
        one, two = grouped(card(rng), mark), grouped(card(rng), mark)
        look(submission, {"note": f"from {one} to {two}."}, {"note": "from *** to ***."}, 0, 2)
    look(submission, {"note": " ".join(card(rng))}, {"note": "***"}, 0, 1)


@check(
    "attack: a card percent-encoded, and in Base64",
    points=3,
    reason="Whoever reads the answer can decode it, and a model does so unasked.",
    about="redact",
)
def test_encoded(submission: Submission, rng: random.Random) -> None:
    number = card(rng)
    coded = "".join(f"%{ord(each):02X}" for each in number)
    look(submission, ["see", f"card={coded}&n=1"], ["see", "***"], 0, 1)
    look(submission, [number[:7] + "%3" + number[7] + number[8:]], ["***"], 0, 1)
    for text in (f"pay with {grouped(number, ' ')}", f"{number}!", f"<{number}>>?"):
        written = base64.b64encode(text.encode()).decode()
        look(submission, {"a": f"it says {written}, twice {written}"}, {"a": "it says ***, twice ***"}, 0, 2)


@check(
    "attack: a card in two neighbours",
    points=3,
    reason="Blocks of text, lines of a file: where one ends is nobody's decision about secrets.",
    about="redact",
)
def test_neighbours(submission: Submission, rng: random.Random) -> None:
    number = card(rng)
    cut = rng.randint(1, 15)
    look(submission, ["a", f"no {number[:cut]}", f"{number[cut:]} ok", "b"], ["a", "***", "***", "b"], 0, 1)
    given = {"rows": [[word(rng)], [7, number[:cut], number[cut:]]]}
    look(submission, given, {"rows": [given["rows"][0], [7, "***", "***"]]}, 0, 1)
    other = card(rng)
    look(submission, [number[:8], number[8:], other[:8], other[8:]], ["***"] * 4, 0, 2)
    look(submission, [number, number[:cut], number[cut:]], ["***", "***", "***"], 0, 2)
    after = f"{number[cut:]} and {other[:9]}"
    look(submission, [number[:cut], after, other[9:]], ["***", "***", other[9:]], 0, 1)


@check(
    "attack: JSON in a text",
    points=2,
    reason="Half of all tools answer with JSON written into a text.",
    about="redact",
)
def test_json(submission: Submission, rng: random.Random) -> None:
    row = {"user": word(rng), "password": word(rng), "cards": [card(rng)]}
    inner = json.dumps([row, {"more": json.dumps({"api_key": word(rng)})}])
    told = submission.call("redact", {"text": inner, "n": 1})
    text = told["value"]["text"]
    try:
        found: Any = json.loads(text)
    except ValueError:
        found = text
    wanted = [{"user": row["user"], "password": "***", "cards": ["***"]}, {"more": json.dumps({"api_key": "***"})}]
    expect(found, wanted, f"the JSON in redact of {inner}")
    expect(told["hidden"], {"field": 2, "card": 1}, f"hidden of redact of {inner}")


@check(
    "use: the shape of the answer stays",
    points=2,
    reason="A client checks answers against the output schema: a missing member is an error, a text for a number too.",
    about="redact",
)
def test_shape(submission: Submission, rng: random.Random) -> None:
    look(submission, {"password": rng.randint(1, 9999), "ssn": 0.5, "n": 5}, {"password": 0, "ssn": 0, "n": 5}, 2, 0)
    look(
        submission, {"password": None, "api_key": True, "x": None}, {"password": None, "api_key": True, "x": None}, 0, 0
    )
    value = {"text": word(rng), "list": [], "empty": {}, "half": 0.5, "no": False, "deep": [[{"a": [word(rng)]}]]}
    look(submission, value, value, 0, 0)
    for plain in (word(rng), 7, None, [], True):
        look(submission, plain, plain, 0, 0)


@check(
    "near miss: numbers and names that only look like it",
    points=2,
    reason="An order number that arrives as stars is an order that nobody finds. Then the filter is switched off.",
    about="redact",
)
def test_near(submission: Submission, rng: random.Random) -> None:
    number = card(rng)
    numbers = [card(rng, good=False), f"{number}{rng.randint(0, 9)}", f"{rng.randint(1, 9)} {number}", f"{number}-12"]
    numbers += [number[:15], f"{number[:8]}  {number[8:]}", f"{number[:4]}/{number[4:]}", f"ISBN 978-{number[:10]}"]
    for text in numbers:
        look(submission, {"order": text}, {"order": text}, 0, 0)
    names = {"passwords": 1, "password_hint": "blue", "ssnap": 2, "credit": 3, "card": 4, "key": "a", "apikeys": []}
    look(submission, names, names, 0, 0)
    look(submission, {"total": int(number)}, {"total": int(number)}, 0, 0)


@check(
    "near miss: what can be decoded, and holds nothing",
    points=1,
    reason="Percent signs and long words are everywhere.",
    about="redact",
)
def test_near_encoded(submission: Submission, rng: random.Random) -> None:
    said = base64.b64encode(f"order {card(rng, good=False)}".encode()).decode()
    long = word(rng, 40)
    page = f"https://x.example/?q={quote('a b')}&n=100%25"
    small = f'{{"a":  "{word(rng)}"}}'
    given = [said, long, page, small, "[1, 2", "100% sure", "/wD/AP8A/wD/AP8A", '"' + card(rng, good=False) + '"']
    look(submission, given, given, 0, 0)
