"""A call of the history as a pytest file that makes it again and asserts the same answer."""

from __future__ import annotations

import json
import os
import pprint
import re
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any, cast

from labkit.catalog import LAB_ROOT, WORK
from labkit.errors import LabError
from labkit.session.connection import Connection
from labkit.ui.history import Entry, as_call
from labkit.wire import mask_headers

MEMBERS = 60
"""Members of a result that can be left out one by one."""
LONGEST = 200_000
"""Characters of an expectation: a longer answer is no longer a test that somebody reads."""

IGNORING = '''

def without(value, *path):
    """`value` with the member at `path` left out; "*" is each element of a list."""
    if isinstance(value, list):
        return [without(each, *path[1:]) if path[0] == "*" else each for each in value]
    if not isinstance(value, dict):
        return value
    if len(path) == 1:
        return {name: each for name, each in value.items() if name != path[0]}
    return {name: without(each, *path[1:]) if name == path[0] else each for name, each in value.items()}
'''


def expectation(entry: Entry) -> tuple[str, Any]:
    """Where the answer stands in `result`, and what it is. Raises LabError when there is nothing to assert."""
    if entry.raw is None:
        why = "was cancelled" if entry.state == "cancelled" else "has no answer, or the history has let go of it"
        raise LabError(f"The call of {entry.name!r} {why}: run it again, and save that.")
    if entry.structured:
        return "result.data", entry.data
    key = {"tool": "content", "prompt": "messages"}.get(entry.kind, "contents")
    return f'result.raw["{key}"]', entry.raw.get(key)


def members(value: Any) -> list[list[str]]:
    """The paths of the members of a result: names, and "*" for each element of a list."""
    found: dict[tuple[str, ...], None] = {}

    def walk(value: Any, path: tuple[str, ...]) -> None:
        if len(found) >= MEMBERS or len(path) > 8:
            return
        if isinstance(value, dict):
            for name, each in cast("dict[str, Any]", value).items():
                found[(*path, name)] = None
                walk(each, (*path, name))
        elif isinstance(value, list):
            for each in cast("list[Any]", value)[:20]:
                walk(each, (*path, "*"))

    walk(value, ())
    return [[*path] for path in found][:MEMBERS]


def proposed_path(conn: Connection, entry: Entry) -> Path:
    """A file below `work/tests` that is not there yet."""
    words = re.sub(r"\W+", "_", f"{conn.name}_{entry.uri or entry.name}").strip("_").lower()[:60]
    folder = WORK / "tests"
    names = (f"test_{words}{'' if number == 1 else f'_{number}'}.py" for number in range(1, 10_000))
    return next(path for path in (folder / name for name in names) if not path.exists())


def save_test(conn: Connection, entry: Entry, path: str | Path = "", ignore: list[list[str]] | None = None) -> Path:
    """Write the test, and return its file. A relative path counts from the lab's folder.

    Raises LabError when the file is there already, or when the call cannot be made again by a file.
    """
    text = as_test(conn, entry, ignore or [])
    file = (LAB_ROOT / path) if str(path) else proposed_path(conn, entry)
    if file.suffix != ".py" or not file.name.startswith("test_"):
        raise LabError(f"{file.name!r} is not the name of a test: pytest finds files named test_....py.")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError:
        raise LabError(f"{file} is there already, and stays as it is. Give another name.") from None
    except OSError as error:
        raise LabError(f"Cannot write {file}: {error.strerror or error}. Give another name.") from error
    return file


def as_test(conn: Connection, entry: Entry, ignore: list[list[str]]) -> str:
    """The source of the test."""
    connecting, imports = connecting_code(conn, entry, sync=True)
    if entry.state == "error" and entry.code is not None:
        asserting = [
            "    with pytest.raises(lab.RpcError) as caught:",
            f"        conn.{as_call(entry, 'conn').removeprefix('conn.')}",
            f"    assert caught.value.code == {entry.code}",
        ]
        constants, imports = "", imports | {"import pytest"}
    else:
        where, value = expectation(entry)
        constants = f"EXPECTED = {_literal(value)}\n"
        asserting = [f"    result = {as_call(entry, 'conn')}", f"    found = {where}"]
        if ignore:
            constants += f"VOLATILE = {_literal([tuple(path) for path in ignore])}\n" + IGNORING
            asserting += [
                "    expected = EXPECTED",
                "    for path in VOLATILE:",
                "        found, expected = without(found, *path), without(expected, *path)",
            ]
        if entry.kind == "tool":
            asserting.append(
                f"    assert {'result.is_error' if entry.state == 'tool error' else 'not result.is_error'}"
            )
        asserting.append(f"    assert found == {'expected' if ignore else 'EXPECTED'}")
    subject = entry.uri or entry.name
    title = f"What {subject!r} of the server {conn.name!r} answered on {date.today()}: saved from the inspector."
    head = "\n".join(sorted(each for each in imports if each.startswith("import "))) + "\n\nimport labkit as lab\n"
    more = "".join(f"{each}\n" for each in sorted(imports) if not each.startswith("import "))
    name = re.sub(r"\W+", "_", subject).strip("_").lower() or "call"
    body = [f"def test_{name}() -> None:", f"    with {connecting} as conn:", *(f"    {line}" for line in asserting)]
    return f"{title!r}\n\n{head.lstrip()}{more}\n{constants}\n\n" + "\n".join(body) + "\n"


def connecting_code(conn: Connection, entry: Entry | None = None, *, sync: bool = False) -> tuple[str, set[str]]:
    """The expression that connects to the same server, and the imports it needs. Raises LabError for an object.

    Credentials do not go into code: values of names that sound like one are taken from the environment.
    """
    made: dict[str, Any] = conn._link.made_with  # pyright: ignore[reportPrivateUsage]
    target, imports = made.get("target"), set[str]()
    if isinstance(target, Path) or (isinstance(target, str) and target.endswith((".py", ".json"))):
        given = _path_code(Path(target), imports)
    elif isinstance(target, str | list | tuple):
        given = repr(cast("Any", target))
    else:
        raise LabError(
            f"{conn.name!r} is an object of this notebook, which a file cannot reach."
            " Put the server into a .py file, connect to that, and save again."
        )
    options = [f"via={conn.transport!r}", f"era={conn.era!r}"]
    if made.get("server"):
        options.append(f"server={made['server']!r}")
    for name in ("env", "headers"):
        if pairs := cast("dict[str, str]", made.get(name) or {}):
            options.append(f"{name}={_pairs_code(pairs, imports)}")
    if tls := conn._link.plan.tls:  # pyright: ignore[reportPrivateUsage]
        files = {name: file for name, file in asdict(tls).items() if file}
        options.append(f"tls={files!r}")
    if folder := made.get("cwd") or (Path.cwd() if _is_command(conn) else None):
        options.append(f"cwd={_path_code(Path(folder), imports)}")
    for name, code in _replies(entry).items() if entry else ():
        options.append(f"{name}={code}")
    return f"lab.{'sync.' if sync else ''}connect({', '.join([given, *options])})", imports


def _is_command(conn: Connection) -> bool:
    made = conn._link.made_with  # pyright: ignore[reportPrivateUsage]
    target = made.get("target")
    return isinstance(target, list | tuple) or (isinstance(target, str) and conn.transport == "stdio" and " " in target)


def _path_code(path: Path, imports: set[str]) -> str:
    whole = path.expanduser().resolve()
    if not whole.is_relative_to(LAB_ROOT):
        return repr(str(whole))
    imports.add("from labkit.catalog import LAB_ROOT")
    inside = whole.relative_to(LAB_ROOT).as_posix()
    return "LAB_ROOT" if inside == "." else f"LAB_ROOT / {inside!r}"


def _pairs_code(pairs: dict[str, str], imports: set[str]) -> str:
    parts: list[str] = []
    for name, value in pairs.items():
        if any("***" in masked for masked in mask_headers({name: value}).values()):
            imports.add("import os")
            variable = name if os.environ.get(name) else re.sub(r"\W", "_", name).upper()
            parts.append(f"{name!r}: os.environ[{variable!r}]")
        else:
            parts.append(f"{name!r}: {value!r}")
    return "{" + ", ".join(parts) + "}"


def _replies(entry: Entry) -> dict[str, str]:
    code: dict[str, str] = {}
    if answers := [answer for kind, answer in entry.replies if kind == "elicit"]:
        code["on_elicit"] = f"lab.scripted({', '.join(repr(answer) for answer in answers)})"
    if answers := [answer for kind, answer in entry.replies if kind == "sample"]:
        if not all(isinstance(answer, str) for answer in answers):
            raise LabError("This call refused to answer for the model: such a call cannot be saved as a test.")
        code["on_sample"] = f"lambda _messages, _params, texts=iter({answers!r}): next(texts)"
    return code


def _literal(value: Any) -> str:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise LabError(
            "This answer holds a number that JSON does not have (NaN or infinity): it equals nothing."
        ) from None
    text = pprint.pformat(value, width=100, sort_dicts=False)
    if len(text) > LONGEST:
        raise LabError(f"This answer has {len(text):,} characters: too much for a test that somebody reads.")
    return text
