"""What a server promises in its lists: names, words and addresses.

`contract_tools` looks at the schemas and annotations of tools, `contract_kept` at whether the promises are kept.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from typing import Any, cast
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.raw import Json
from labkit.testbench.schemas import canonical, misfit
from labkit.testbench.snapshot import PINNED, everything
from labkit.testbench.tour import LISTS, objects

TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
MIME = re.compile(r"[\w.+-]+/[\w.+*-]+(\s*;.*)?")
TWINS = str.maketrans("аеорсухіјѕԁһɡαουνι01", "aeopcyxijsdhgaouvioi")
"""Characters that look like others: Cyrillic, Greek, digits."""
EXPRESSION = re.compile(
    r"[+#./;?&]?(?:[A-Za-z0-9_.]|%[0-9A-Fa-f]{2})+(?::[1-9][0-9]{0,3}|\*)?"
    r"(?:,(?:[A-Za-z0-9_.]|%[0-9A-Fa-f]{2})+(?::[1-9][0-9]{0,3}|\*)?)*"
)
"""What RFC 6570 allows between { and }."""

_LISTS: WeakKeyDictionary[Bench, dict[str, dict[str, list[Json]]]] = WeakKeyDictionary()


async def listed(bench: Bench, era: str) -> dict[str, list[Json]]:
    """Every list of the server in this era, all pages, by method; empty ones too. Asked for once."""
    known = _LISTS.setdefault(bench, {})
    if era not in known:
        wire = await bench.shared(era)

        async def ask(method: str, params: Json) -> Json:
            return (await wire.request(method, params)).result

        known[era] = {
            method: await everything(ask, method, member) if bench.capability(era, capability) else []
            for method, (capability, member) in LISTS.items()
        }
    return known[era]


async def items(bench: Bench, part: str) -> list[Json]:
    """The tools, prompts, resources or templates, in the newest era. Raises NotApplicable when there are none."""
    found = (await listed(bench, bench.eras[-1]))[PINNED[part][0]]
    if not found:
        raise NotApplicable(f"the server has no {part}")
    return found


def named(item: Json) -> str:
    """The name of an item, as text whatever it is."""
    return str(item.get("name"))


@check(
    "contract.names",
    "Tools have names that every client can use",
    severity="warning",
    spec="server/tools#tool-names",
    fix="Name tools with 1 to 128 letters, digits, _ - and . only.",
)
async def names(bench: Bench) -> AsyncGenerator[Finding]:
    """Model APIs refuse other names, and hosts drop the tool, or the whole server."""
    for tool in await items(bench, "tools"):
        if not isinstance(tool.get("name"), str) or not TOOL_NAME.fullmatch(named(tool)):
            said = f"the tool name {tool.get('name')!r} is not 1 to 128 letters, digits, _ - and ."
            yield Finding(said, received=canonical(tool)[:400], subject=named(tool))


@check(
    "contract.unique",
    "No two items have the same name or address",
    severity="error",
    spec="server/tools#tool-names",
    fix="Give each tool and prompt a name of its own, each resource and template an address of its own.",
)
async def unique(bench: Bench) -> AsyncGenerator[Finding]:
    """Of two tools with one name only one can be called, and nobody knows which."""
    for part, (method, what, key, _) in PINNED.items():
        found = (await listed(bench, bench.eras[-1]))[method]
        for name, times in Counter(str(item.get(key)) for item in found).items():
            if times > 1:
                both = [item for item in found if str(item.get(key)) == name]
                yield Finding(f"{times} {part} are called {name!r}", received=canonical(both), subject=f"{what} {name}")


def skeleton(name: str) -> str:
    """What is left of a name when characters that look alike are one."""
    plain = unicodedata.normalize("NFKC", name)
    kept = "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Mn"))
    return kept.replace("I", "l").casefold().translate(TWINS).replace("l", "i")


@check(
    "contract.lookalikes",
    "No name can be taken for another",
    severity="warning",
    spec="server/tools#tool-names",
    fix="Rename one of them: names should differ by more than case, or letters that look the same.",
)
async def lookalikes(bench: Bench) -> AsyncGenerator[Finding]:
    """People approve, and models choose, by what they read: a name that looks like another gets its trust."""
    lists = await listed(bench, bench.eras[-1])
    for method, what in (("tools/list", "tool"), ("prompts/list", "prompt")):
        seen: dict[str, str] = {}
        for name in dict.fromkeys(named(item) for item in lists[method]):
            other = seen.setdefault(skeleton(name), name)
            if other != name:
                said = f"the {what}s {other!a} and {name!a} can be taken for each other"
                yield Finding(said, subject=f"{what} {name}")


@check(
    "contract.descriptions",
    "Tools and prompts say what they are for",
    severity="warning",
    spec="server/tools#tool",
    fix="Write in a sentence or two what it does, when to use it, and what comes back.",
)
async def descriptions(bench: Bench) -> AsyncGenerator[Finding]:
    """A model chooses by the description alone."""
    lists = await listed(bench, bench.eras[-1])
    if not lists["tools/list"] and not lists["prompts/list"]:
        raise NotApplicable("the server has neither tools nor prompts")
    for method, what in (("tools/list", "tool"), ("prompts/list", "prompt")):
        for item in lists[method]:
            text = item.get("description")
            subject = f"{what} {named(item)}"
            if not isinstance(text, str) or not text.strip():
                mild = None if what == "tool" else "info"
                yield Finding(f"the {subject} has no description", subject=subject, severity=mild)
            elif len(text.split()) < 2 or skeleton(text.strip(" .")) == skeleton(named(item)):
                yield Finding(f"the {subject} says only {text[:80]!r}", subject=subject, severity="info")


@check(
    "contract.prompts",
    "Prompts declare their arguments well",
    severity="warning",
    spec="server/prompts#prompt",
    fix="Each argument is an object with a name of its own; `required` is true or false.",
)
async def prompts(bench: Bench) -> AsyncGenerator[Finding]:
    """Hosts draw a form from it."""
    for prompt in await items(bench, "prompts"):
        subject, given = f"prompt {named(prompt)}", prompt.get("arguments", [])
        if not isinstance(given, list) or len(objects(given)) != len(cast("list[Any]", given)):
            yield Finding("arguments is not a list of objects", received=canonical(given), subject=subject)
            continue
        for name, times in Counter(named(argument) for argument in objects(given)).items():
            if times > 1:
                yield Finding(f"{times} arguments are called {name!r}", received=canonical(given), subject=subject)
        for argument in objects(given):
            if not isinstance(argument.get("required", False), bool) or not isinstance(argument.get("name"), str):
                yield Finding(f"an argument is malformed: {canonical(argument)[:200]}", subject=subject)


@check(
    "contract.resources",
    "Resources have an address, a name, and a type of which they are",
    severity="warning",
    spec="server/resources#resource",
    fix="Give each an absolute URI, a name, and a mimeType such as text/markdown; priority is between 0 and 1.",
)
async def resources(bench: Bench) -> AsyncGenerator[Finding]:
    """A resource that cannot be named or addressed cannot be offered."""
    for resource in await items(bench, "resources"):
        uri = resource.get("uri")
        subject = f"resource {uri}"
        if not isinstance(uri, str) or not _absolute(uri):
            yield Finding(f"{uri!r} is not an absolute URI", received=canonical(resource), subject=subject)
        for said in _badly_described(resource):
            yield Finding(said, received=canonical(resource), subject=subject)
        size = resource.get("size", 0)
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            yield Finding(f"its size is {size!r}", received=canonical(resource), subject=subject)


def _absolute(uri: str) -> bool:
    try:
        return bool(urlsplit(uri).scheme) and not re.search(r"[\s<>\"{}]", uri)
    except ValueError:  # an address that is none, such as http://[
        return False


WORDED: Json = {
    "type": "object",
    "properties": {
        "audience": {"type": "array", "items": {"enum": ["user", "assistant"]}},
        "priority": {"type": "number", "minimum": 0, "maximum": 1},
        "lastModified": {"type": "string"},
    },
}


def _badly_described(item: Json) -> Iterator[str]:
    if not isinstance(item.get("name"), str) or not item["name"]:
        yield "it has no name"
    mime = item.get("mimeType")
    if mime is not None and not (isinstance(mime, str) and MIME.fullmatch(mime)):
        yield f"its mimeType is {mime!r}, not of the form type/subtype"
    if "annotations" in item and (wrong := misfit(WORDED, item["annotations"])):
        yield f"annotations: {wrong}"


@check(
    "contract.templates",
    "URI templates can be filled in",
    severity="error",
    spec="server/resources#resource-templates",
    fix="Write templates as RFC 6570 has them: files://{name}, files://{+path}, notes://search{?text,limit}.",
)
async def templates(bench: Bench) -> AsyncGenerator[Finding]:
    """A client that cannot parse the template cannot make an address of it."""
    for template in await items(bench, "templates"):
        uri = template.get("uriTemplate")
        if not isinstance(uri, str) or not well_formed(uri):
            subject = f"template {uri}"
            yield Finding(f"{uri!r} is no URI template of RFC 6570", received=canonical(template), subject=subject)
        for said in _badly_described(template):
            yield Finding(said, canonical(template), subject=f"template {uri}", severity="warning")


def well_formed(template: str) -> bool:
    """Whether it is a URI template of RFC 6570."""
    outside = re.sub(r"\{([^{}]*)\}", lambda found: "" if EXPRESSION.fullmatch(found[1]) else "{", template)
    return not re.search(r"[{}\s<>\"]", outside)
