"""The drill of class 1: a file beside the shared folder is read, and another one is written there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from labkit.range import Target

ATTACKS = (
    "../data-private/secret.txt",
    "{root}/data-private/secret.txt",
    "notes/../../data-private/secret.txt",
    ".//..//data-private/./secret.txt",
    "{root}/data/../data-private/secret.txt",
    "../elsewhere/secret.txt",
    "{root}/elsewhere/secret.txt",
    "latest.txt",
    "shortcut/secret.txt",
    "notes/hop/secret.txt",
)
"""Paths of a secret beside `data`. The last three go through links that somebody left in the folder."""
PLANTED = ("../data-private/planted.txt", "shortcut/planted.txt", "draft.txt")
"""Paths at which a file is saved, and then looked for beside `data`; the last one is a link to no file yet."""
LINKS = {"latest.txt": "../data-private/secret.txt", "shortcut": "../data-private", "notes/hop": "../shortcut"}
LINKS |= {"draft.txt": "../data-private/planted.txt", "today.txt": "notes/costs.txt", "archive": "notes"}
LEGITIMATE = {
    "plan.txt": "Tea at four.\nJam at five.\nBed at nine.\nNothing at ten.",
    "notes/costs.txt": "tea 3\njam 4",
    "notes/2026/deep/down.txt": "deep",
    "data-private.txt": "a file, not the folder",
}
NEAR_MISSES = {
    "notes/../plan.txt": "plan.txt",
    "notes/./costs.txt": "notes/costs.txt",
    "notes//costs.txt": "notes/costs.txt",
    "{root}/data/plan.txt": "plan.txt",
    "{root}/data/notes/../plan.txt": "plan.txt",
    "../data/plan.txt": "plan.txt",
    "today.txt": "notes/costs.txt",
    "archive/2026/deep/down.txt": "notes/2026/deep/down.txt",
    "..rc": "..rc",
    "v1..v2.txt": "v1..v2.txt",
    ".../three.txt": ".../three.txt",
    "~plan.txt": "~plan.txt",
    "%2e%2e%2fplan.txt": "%2e%2e%2fplan.txt",
    "a private secret.txt": "a private secret.txt",
    "Übersicht (ä).txt": "Übersicht (ä).txt",
}
"""Paths that look dangerous and stay inside, with the file that they mean."""


def lay_out(target: Target) -> bool:
    """Make the tree of the drill; whether this system let us make its links."""
    data, secret = target.folder / "data", target.folder / "data-private"
    for name in (*LEGITIMATE, *NEAR_MISSES.values()):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(LEGITIMATE.get(name, f"this is {name}"), encoding="utf-8")
    for folder in (secret, target.folder / "elsewhere"):
        folder.mkdir(exist_ok=True)
        (folder / "secret.txt").write_text(f"the key is {target.canary}", encoding="utf-8")
    with suppress(OSError):  # Windows asks for a right that users do not have
        for name, leads_to in LINKS.items():
            if not os.path.lexists(data / name):
                where = (data / name).parent / leads_to
                (data / name).symlink_to(leads_to, target_is_directory=where.is_dir())
    return all(os.path.lexists(data / name) for name in LINKS)


def paths(target: Target, linked: bool, templates: tuple[str, ...]) -> list[str]:
    """The paths to try here: with the root filled in, and without links where there are none."""
    usable = [text for text in templates if linked or not text.startswith(tuple(LINKS))]
    return [text.format(root=target.folder.as_posix()) for text in usable]


async def attack(target: Target) -> list[str]:
    linked = lay_out(target)
    conn = await target.connect()
    obtained: list[str] = []
    for path in paths(target, linked, ATTACKS):
        for tool in ("read_file", "first_lines"):
            answer = await conn.call(tool, path=path)
            if target.canary in answer.text:
                obtained.append(f"{tool}({shown(target, path)!r}): {answer.text}")
    planted = target.folder / "data-private" / "planted.txt"
    for path in paths(target, linked, PLANTED):
        await conn.call("save_file", path=path, text=f"planted {target.canary}")
        if planted.exists():
            obtained.append(f"save_file({path!r}) wrote beside the folder: {planted.read_text(encoding='utf-8')}")
            planted.unlink()
    return obtained


async def legitimate(target: Target) -> list[str]:
    lay_out(target)
    conn = await target.connect()
    wrong: list[str] = []
    for path, text in LEGITIMATE.items():
        for tool, wanted in (("read_file", text), ("first_lines", text.splitlines()[:3])):
            answer = await conn.call(tool, path=path)
            if answer.is_error or answer.data != wanted:
                wrong.append(f"{tool}({path!r}) should answer {wanted!r}, not {answer.data!r}")
    for path in ("plan.txt", "new/folder/new.txt"):
        answer = await conn.call("save_file", path=path, text="saved")
        place = target.folder / "data" / path
        if answer.is_error or content(place) != "saved":
            wrong.append(f"save_file({path!r}) should write {path}: {answer.text}")
    if not (await conn.call("read_file", path="nothing.txt")).is_error:
        wrong.append("read_file of a file that is not there should be an error")
    return wrong


async def near_misses(target: Target) -> list[str]:
    linked = lay_out(target)
    conn = await target.connect()
    refused: list[str] = []
    for template, name in NEAR_MISSES.items():
        for path in paths(target, linked, (template,)):
            for tool in ("read_file", "first_lines"):
                answer = await conn.call(tool, path=path)
                if answer.is_error:
                    refused.append(f"{tool}({shown(target, path)!r}) means {name}, which is inside: {answer.text}")
    for path in ("..saved.txt", "notes/../saved.txt", *(["archive/saved.txt"] if linked else [])):
        answer = await conn.call("save_file", path=path, text="saved")
        if answer.is_error:
            refused.append(f"save_file({path!r}) stays inside: {answer.text}")
    return refused


def content(place: Path) -> str:
    return place.read_text(encoding="utf-8") if place.is_file() else ""


def shown(target: Target, path: str) -> str:
    """A path without the name of the temporary folder, which is another one each time."""
    return path.replace(target.folder.as_posix(), "<root>")
