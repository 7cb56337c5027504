"""Checks of 29_broken_chain. Logs, changes and places are made from the seed."""

import hashlib
import json
import random

from labkit.grading.checks import check, expect, show
from labkit.grading.submission import Submission

WHO = ["ada", "bob", "eve", "mia"]
DID = ["read notes", "paid 5 €", "deleted a file", 'asked for "tea"', "logged in"]


def hashed(before: str, n: int, text: str) -> str:
    return hashlib.sha256(f"{before}{n}:{text}".encode()).hexdigest()


def line(n: int, text: str, hash: str) -> str:
    return json.dumps({"n": n, "text": text, "hash": hash})


def said(rng: random.Random) -> str:
    return f"{rng.choice(WHO)} {rng.choice(DID)} {rng.randint(1, 999)}"


def log(rng: random.Random, count: int = 0) -> list[str]:
    lines, before = list[str](), "0" * 64
    for n in range(1, (count or rng.randint(8, 15)) + 1):
        text = said(rng)
        before = hashed(before, n, text)
        lines.append(line(n, text, before))
    return lines


def broken(submission: Submission, lines: list[str], place: int | None, what: str) -> None:
    expect(submission.call("first_broken", lines), place, f"first_broken of {len(lines)} lines, {what}")


@check(
    "append makes lines that follow each other",
    points=2,
    reason="Each hash covers the one before it, so each record vouches for all earlier ones.",
    about="append",
)
def test_append(submission: Submission, rng: random.Random) -> None:
    before, n, text = hashed("", 0, str(rng.random())), rng.randint(1, 99), said(rng)
    expect(submission.call("link", before, n, text), hashed(before, n, text), f"link({before!r}, {n}, {text!r})")
    lines = log(rng)
    expect(submission.call("append", lines[:-1], json.loads(lines[-1])["text"]), lines, "append(lines, text)")
    expect(submission.call("append", [], json.loads(lines[0])["text"]), lines[:1], "append([], text)")


@check(
    "a line that was changed is named",
    points=2,
    reason="Text, number and hash: nothing of a record can be changed alone.",
    about="first_broken",
)
def test_changed(submission: Submission, rng: random.Random) -> None:
    lines = log(rng)
    broken(submission, lines, None, "untouched")
    broken(submission, [], None, "untouched")
    for place in (1, len(lines), rng.randint(2, len(lines) - 1)):
        record = json.loads(lines[place - 1])
        for member, value in (("text", "eve read nothing"), ("hash", hashed("x", 1, "y"))):
            changed = [*lines[: place - 1], json.dumps({**record, member: value}), *lines[place:]]
            broken(submission, changed, place, f"line {place} with another {member}")


@check(
    "so is one that is missing, moved or put in",
    points=2,
    reason="The chain holds order and number, too. A record of one's own in the right form fits nowhere.",
    about="first_broken",
)
def test_order(submission: Submission, rng: random.Random) -> None:
    lines = log(rng)
    place = rng.randint(2, len(lines) - 2)
    broken(submission, lines[: place - 1] + lines[place:], place, f"line {place} removed")
    broken(submission, lines[1:], 1, "line 1 removed")
    broken(submission, [*lines[:place], lines[place - 1], *lines[place:]], place + 1, f"line {place} doubled")
    swapped = [*lines[: place - 1], lines[place], lines[place - 1], *lines[place + 1 :]]
    broken(submission, swapped, place, f"lines {place} and {place + 1} swapped")
    before, text = json.loads(lines[place - 2])["hash"], said(rng)
    mine = line(place, text, hashed(before, place, text))
    broken(
        submission, [*lines[: place - 1], mine, *lines[place - 1 :]], place + 1, f"a new line {place} that fits put in"
    )
    skipped = line(place + 5, text, hashed(before, place + 5, text))
    broken(
        submission,
        [*lines[: place - 1], skipped],
        place,
        f"line {place} with the number {place + 5} and a hash that fits",
    )


@check(
    "no line makes it stumble",
    points=2,
    reason="Whoever tampers writes what he likes, and a check that raises an exception checks nothing.",
    about="first_broken",
)
def test_garbage(submission: Submission, rng: random.Random) -> None:
    lines = log(rng)
    place = rng.randint(2, len(lines))  # to call the first line broken is right by chance
    odd = ["", "garbage", "[]", "7", "null", "{}", '{"n": 1}', '{"n": "1", "text": "a", "hash": null}']
    odd += ["[" * 100_000, "9" * 10_000, line(place, "\ud800", hashed("", place, said(rng)))]
    for each in odd:
        broken(submission, [*lines[: place - 1], each, *lines[place:]], place, f"line {place} is {show(each, 80)}")


@check(
    "a line that says the same in another form is none",
    points=1,
    reason="Two programs may read two things in such a line, and the hash vouches for one of them only.",
    about="first_broken",
)
def test_form(submission: Submission, rng: random.Random) -> None:
    lines = log(rng)
    place = rng.randint(2, len(lines))
    good, record, number = lines[place - 1], json.loads(lines[place - 1]), str(rng.randint(1, 99))
    before = json.loads(lines[place - 2])["hash"]
    others: list[tuple[int, str, str]] = [
        (place, json.dumps({**record, "by": rng.choice(WHO)}), "with one more member"),
        (place, json.dumps(dict(reversed(record.items()))), "with its members in another order"),
        (place, good.replace('"text": ', '"text": "", "text": ', 1), "with two texts"),
        (place, good.replace(": ", ":", 1), "without a space"),
        (place, json.dumps({**record, "n": float(place)}), f"with the number {float(place)}"),
        (1, json.dumps({**json.loads(lines[0]), "n": True}), "with true for its number"),
        (
            place,
            json.dumps({"n": place, "text": int(number), "hash": hashed(before, place, number)}),
            "with a text that is a number",
        ),
    ]
    for at, other, what in others:
        broken(submission, [*lines[: at - 1], other, *lines[at:]], at, f"line {at} {what}")


@check(
    "a crash is told from tampering",
    points=2,
    reason="A process that dies leaves half a line at the end, and nowhere else.",
    about="torn",
)
def test_torn(submission: Submission, rng: random.Random) -> None:
    lines = log(rng)
    half = lines[-1][: rng.randint(1, len(lines[-1]) - 1)]
    cases: list[tuple[list[str], bool, str]] = [
        (lines, False, "a log that is whole"),
        ([], False, "an empty log"),
        ([*lines[:-1], half], True, "a log that ends in half a line"),
        ([half], True, "half a line and nothing else"),
        ([*lines[:2], half, *lines[3:]], False, "half a line in the middle"),
        ([*lines[:1], *lines[2:-1], half], False, "a line missing before, and half a line at the end"),
        ([*lines[:-1], line(len(lines), "eve", "0" * 64)], False, "a last line with a wrong hash"),
        ([*lines[:-1], rng.choice(["7", "null", "[]"])], False, "a last line that is JSON, and no record"),
    ]
    for given, wanted, what in cases:
        expect(submission.call("torn", given), wanted, f"torn: {what}")


@check(
    "a kept head shows what was cut off, or made anew",
    points=2,
    reason="The chain alone cannot: a shorter one is whole, and so is a new one.",
    about="proves",
)
def test_head(submission: Submission, rng: random.Random) -> None:
    lines = log(rng)
    place = rng.randint(3, len(lines) - 2)
    record = json.loads(lines[place - 1])
    head = {"n": place, "hash": record["hash"]}
    longer = submission.call("append", lines, said(rng))
    other = log(random.Random(rng.random()), len(lines))
    changed = [*lines[:place], lines[place].replace('"text": "', '"text": "x'), *lines[place + 1 :]]
    cases: list[tuple[list[str], bool, str]] = [
        (lines, True, "the log that it was taken from"),
        (longer, True, "a longer one"),
        (lines[:place], True, "one that ends with it"),
        (lines[: place - 1], False, "one that was cut off before it"),
        ([], False, "an empty one"),
        (other, False, "one that was made anew"),
        (changed, False, "one that is broken behind it"),
    ]
    for given, wanted, what in cases:
        expect(submission.call("proves", given, head), wanted, f"proves(lines, record {place}): {what}")
    first = {"n": 1, "hash": json.loads(lines[0])["hash"]}
    expect(submission.call("proves", lines, first), True, "proves(lines, record 1)")
    expect(submission.call("proves", lines, {"n": 0, "hash": json.loads(lines[-1])["hash"]}), False, "proves with n 0")
