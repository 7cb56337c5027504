"""Checks of 15_merge_not_overwrite. Files, names and secrets come from the seed."""

import json
import random
from typing import Any

from labkit.grading.checks import check, expect, expect_true, show
from labkit.grading.submission import Submission

Json = dict[str, Any]
KEYS = ["mcpServers", "servers", "context_servers"]


def word(rng: random.Random) -> str:
    return "".join([*rng.choices("bcdfghjklmnpqrstvwxz", k=5), rng.choice("äöü")])


def an_entry(rng: random.Random) -> Json:
    return {"command": f"/opt/{word(rng)}", "args": ["-m", word(rng)], "timeout": rng.randint(1, 99)}


def pretty(value: Any, unit: str = "  ", end: str = "\n") -> str:
    return json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", end)


def a_file(rng: random.Random, key: str, unit: str = "  ", end: str = "\n") -> str:
    """A file as people write it: numbers and lists as no printer would print them."""
    servers = pretty({word(rng): an_entry(rng) for _ in range(2)}, unit, end).replace(end, end + unit)
    lines = [
        "{",
        f'{unit}"theme" : "{word(rng)}",',
        f'{unit}"sizes": [1.50, {rng.randint(1, 9)}e2,  3], ',
        f'{unit}"{key}": {servers},',
        f'{unit}"path": "C:\\/{word(rng)}\\u0041"',
        "}",
    ]
    return end.join(lines) + end


def added(submission: Submission, *given: Any) -> str:
    found = submission.call("rehearse", *given)
    expect_true("text" in found, f"add{show(given)} was refused: {found.get('refused')}")
    return str(found["text"])


def piece(before: str, after: str, what: str) -> str:
    """What was put in. Fails where anything of the old text is gone."""
    front = next(
        (n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    rest = before[front:]
    whole = len(after) >= len(before) and after.endswith(rest)
    expect_true(
        whole, f"{what}: something of the file has changed, from {show(rest, 80)} on: now {show(after[front:], 80)}"
    )
    return after[front : len(after) - len(rest)]


def read(text: str) -> Any:
    return json.loads(text.removeprefix("\ufeff"))


def says(got: str, wanted: Any, what: str) -> None:
    """The text has these members, in this order."""
    expect(json.dumps(read(got)), json.dumps(wanted), what)


@check(
    "what is there stays, byte for byte",
    points=4,
    reason="The file is somebody's work. What you did not come for is not yours to change, not even its white space.",
    about="add",
)
def test_kept(submission: Submission, rng: random.Random) -> None:
    for key in KEYS:
        text, name, entry = a_file(rng, key), word(rng), an_entry(rng)
        text = rng.choice([text, text.strip(), text + "\n\n"])
        after = added(submission, text, key, name, entry)
        piece(text, after, f"add to {show(text)}")
        wanted = read(text)
        wanted[key][name] = entry
        says(after, wanted, "the file afterwards")


@check(
    "a file without servers, and no file, get them",
    points=3,
    reason="The first server is added to a file that has none; an object without members takes no comma.",
    about="add",
)
def test_first(submission: Submission, rng: random.Random) -> None:
    for key in KEYS:
        name, entry = word(rng), an_entry(rng)
        other = {"theme": word(rng), rng.choice([each for each in KEYS if each != key]): {word(rng): an_entry(rng)}}
        tight = json.dumps({**other, "sizes": [1, 2]}, separators=(",", ":"))
        texts = [
            pretty(other),
            json.dumps(other),
            tight,
            "{}",
            "{ }\n",
            f'{{"{key}":{{}}}}',
            pretty({**other, key: {}}),
        ]
        for text in texts:
            after = added(submission, text, key, name, entry)
            if "{ }" not in text:
                piece(text, after, f"add to {show(text)}")
            says(after, {**read(text), key: {name: entry}}, f"what add to {show(text)} gave")
        for text in ("", " \n", "\ufeff"):
            says(added(submission, text, key, name, entry), {key: {name: entry}}, f"what add to {text!r} gave")


@check(
    "the piece looks like the file",
    points=3,
    reason="Tabs between spaces, and line ends that change in the middle, are what the next comparison shows.",
    about="add",
)
def test_form(submission: Submission, rng: random.Random) -> None:
    for unit, end, mark in (("\t", "\n", ""), ("    ", "\r\n", ""), ("   ", "\n", "\ufeff")):
        key, name, entry = rng.choice(KEYS), word(rng), an_entry(rng)
        text = mark + a_file(rng, key, unit, end)
        got = piece(text, added(submission, text, key, name, entry), f"add to {show(text)}")
        line, deep = f"{end}{unit}{unit}", end + unit * 2
        wanted = f",{line}{json.dumps(name, ensure_ascii=False)}: {pretty(entry, unit, deep)}"
        expect(got, wanted, f"what was put into {show(text)}")
        empty = mark + pretty({"theme": word(rng), key: {}}, unit, end)
        after = added(submission, empty, key, name, entry)
        wanted = pretty({**read(empty), key: {name: entry}}, unit, end)
        expect(after, mark + wanted, f"what add to {show(empty)} gave")
        bare = mark + pretty({"theme": word(rng)}, unit, end)
        wanted = pretty({**read(bare), key: {name: entry}}, unit, end)
        expect(added(submission, bare, key, name, entry), mark + wanted, f"what add to {show(bare)} gave")
    text = f'{{"{key}": {{}}}}'
    expect(
        added(submission, text, key, name, {}), f'{{"{key}": {{\n    "{name}": {{}}\n  }}}}', f"what add to {text} gave"
    )


@check(
    "a name that is taken is not lost",
    points=2,
    reason="Two servers of one name are two people's, and the second should hear of the first.",
    about="add",
)
def test_taken(submission: Submission, rng: random.Random) -> None:
    key = rng.choice(KEYS)
    text, entry = a_file(rng, key), an_entry(rng)
    servers = read(text)[key]
    for name in servers:
        found = submission.call("rehearse", text, key, name, entry)
        expect_true("refused" in found, f"{name!r} is there already, and add replaced it")
        expect_true(name in found["refused"], f"{name!r} is taken, and the message is {found['refused']!r}")
        after = added(submission, text, key, name, entry, True)
        wanted = read(text)
        wanted[key][name] = entry
        says(after, wanted, f"the file after {name!r} was replaced")
        old, new = (pretty(each).replace("\n", "\n    ") for each in (servers[name], entry))
        expect(after, text.replace(old, new), f"the text after {name!r} was replaced")
    name = word(rng)
    expect(added(submission, text, key, name, entry, True), added(submission, text, key, name, entry), "a new name")


@check(
    "what cannot be read is refused",
    points=3,
    reason="Beginning anew with an empty file is how an installer deletes all servers of somebody who wrote a comment.",
    about="add",
)
def test_refused(submission: Submission, rng: random.Random) -> None:
    key, name, entry = rng.choice(KEYS), word(rng), an_entry(rng)
    lines = a_file(rng, key).splitlines()
    at = rng.randint(1, len(lines) - 1)
    broken = "\n".join([*lines[:at], f"// {word(rng)}", *lines[at:]])
    found = submission.call("rehearse", broken, key, name, entry)
    expect_true("refused" in found, f"a file with a comment in strict JSON was written anew: {show(found)}")
    expect_true(str(at + 1) in found["refused"], f"line {at + 1} is no JSON, and the message is {found['refused']!r}")
    good = a_file(rng, key)
    twice = good.replace('"theme"', f'"{key}": {{"{word(rng)}": {{}}}}, "theme"')
    variable = word(rng)
    deep = pretty({key: {"a": {"env": {variable: "1"}}}}).replace(f'"{variable}"', f'"{variable}": "0", "{variable}"')
    bad = [good[: good.rindex("}")], good + "x", "[]", "7", f'{{"{key}": []}}', f'{{"{key}": null}}', twice, deep]
    for text in bad:
        found = submission.call("rehearse", text, key, name, entry)
        expect_true(found.get("refused"), f"{show(text)} was not refused, with a message, but: {show(found)}")
        there = {twice: key, deep: variable}.get(text, "")
        expect_true(there in found["refused"], f"{there!r} stands twice, and the message is {found['refused']!r}")


@check(
    "secrets are referred to",
    points=2,
    reason="The file is copied to the next machine, pasted into a question, committed by mistake.",
    about="add",
)
def test_secrets(submission: Submission, rng: random.Random) -> None:
    key, name, secret = rng.choice(KEYS), word(rng), f"s3-{word(rng)}"
    names = [f"{rng.choice('ABC')}_{each}" for each in ("API_KEY", "token", "Secret_2", "PASSWORD")]
    rng.shuffle(names)
    plain = {"UNITS": word(rng), "GIVEN_TOKEN": "${env:MINE}"}
    env = {**{each: f"{secret}-{n}" for n, each in enumerate(names)}, **plain}
    for text in ("", a_file(rng, key)):
        found = submission.call("rehearse", text, key, name, {"command": "x", "env": env, "note": "kept"})
        expect_true("text" in found, f"an entry with secrets was refused: {found.get('refused')}")
        expect_true(secret not in found["text"], "a secret is in the file")
        wanted = {"command": "x", "env": {**{each: f"${{env:{each}}}" for each in names}, **plain}, "note": "kept"}
        expect(json.dumps(read(found["text"])[key][name]), json.dumps(wanted), f"the entry with the env {env}")
        expect(found["variables"], names, "the names that have to be set")
        entry = an_entry(rng)
        found = submission.call("rehearse", text, key, name, entry)
        expect(found.get("variables"), [], "the names that have to be set for an entry without secrets")
