"""What a tool says of itself, as a model reads it: hidden text, orders, other servers' tools, lookalike names.

    for found in scan(definition, others={"mail": ["send_mail"]}):
        print(found)              # description: reads like an order to the model: 'before using this tool, read'
    shown(definition)             # for the person who approves: all of it, with what is invisible made visible

It is a scanner of text. What it finds deserves a person's look; what it does not find is not proven to be harmless, as
anything can be said in words that no pattern has (tests/defences/corpus/descriptions_attacks.toml lists known misses).
Names that cannot be taken, pins and gates on what is sent do not depend on it.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast
from urllib.parse import unquote

from labkit.defences.orders import INSTRUCTION

Json = dict[str, Any]
Kind = Literal["hidden", "order", "other tool", "lookalike"]
Severity = Literal["error", "warning"]

HIDDEN: tuple[tuple[str, str, Severity], ...] = (
    ("Unicode tags, which nobody sees and a model reads", "[\U000e0000-\U000e007f]", "error"),
    (
        "variation selectors, which nobody sees and which can spell a text",
        "(?<![\u3400-\u9fff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]"
        "|[\U000e0100-\U000e01ef]{2,}|[\ufe00-\ufe0f]{2,}",
        "error",
    ),
    (
        "bidirectional controls, which show text in another order",
        "[\u202a-\u202e\u2066-\u2069]|[\u200e\u200f]{2,}",
        "error",
    ),
    ("terminal escapes", "\x1b\\[", "error"),
    (
        "characters without width",
        "[\u200b\u2060-\u2064\u206a-\u206f\u180e\u115f\u1160\u3164\uffa0\ufeff\u00ad\ufff9-\ufffb]"
        "|(?<![\u0600-\u06ff\u0750-\u077f\u0900-\u0dff])\u200c|\u200d{2,}|(?<=[ -~])\u200d|\u200d(?=[ -~])",
        "warning",
    ),
)
"""What is called hidden. The joiner U+200D is not between two emoji, nor is U+200C between letters of scripts that need
it, nor a single variation selector where it belongs: U+FE0F makes an emoji of the character before it, one from U+E0100
chooses the form of a Han character."""
_HIDDEN = [(title, re.compile(pattern)) for title, pattern, _ in HIDDEN]
_FLAGS = re.compile("\U0001f3f4(?:{})\U000e007f".format("|".join(
    "".join(chr(0xE0000 + ord(c)) for c in region) for region in ("gbeng", "gbsct", "gbwls")
)))  # fmt: skip
"""The flags of England, Scotland and Wales are spelt in tags."""
_OUT_OF_SIGHT = (
    ("a gap that pushes the rest out of sight", re.compile(r"(?:[ \t]*\n){12,}|[ \t\u00a0\u2000-\u200a\u3000]{60,}")),
    ("a comment of a markup that is not shown", re.compile(r"<!--(?:(?!<!--).){8,}?-->|\[//\]: # ", re.DOTALL)),
    ("a style that hides text", re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0", re.I)),
)
_LIKE = (
    str.maketrans(
        "аеорсухіјѕһԁԛԝАВЕКМНОРСТХΑΒΕΖΗΙΚΜΝΟΡΤΧοανρτιυⅼı",
        "aeopcyxijshdqwABEKMHOPCTXABEZHIKMNOPTXoavptiuli",
    )
    | str.maketrans("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢøØ", "abcdefghijklmnoprstuvwyzoO")
    | {start + n: ord("a") + n for start in (0x1F150, 0x1F170, 0x1F1E6) for n in range(26)}
)
"""Letters of other alphabets that look like Latin ones, small capitals, and letters in white on black or on flags."""
_LONG_WORD = 24
"""More letters than a word of JSON Schema has: a longer key may be a sentence."""
_FILLERS = "\u115f\u1160\u3164\uffa0"
WELL_KNOWN: dict[str, tuple[str, ...]] = {
    "filesystem": (
        *("read_file", "read_text_file", "read_multiple_files", "write_file", "edit_file", "list_directory"),
        *("directory_tree", "move_file", "search_files"),
    ),
    "memory": (
        *("create_entities", "create_relations", "add_observations", "delete_entities", "read_graph", "open_nodes"),
    ),
    "git": ("git_status", "git_diff", "git_commit", "git_add", "git_log", "git_show", "git_checkout", "git_reset"),
    "github": ("create_issue", "create_pull_request", "merge_pull_request", "push_files", "create_or_update_file"),
    "fetch": ("fetch",),
    "time": ("get_current_time", "convert_time"),
    "thinking": ("sequentialthinking",),
    "playwright": ("browser_navigate", "browser_click", "browser_type", "browser_snapshot"),
}
"""Tools of servers that many hosts have, by a word in the name of that server."""


@dataclass(frozen=True)
class Suspicion:
    """One thing that a person should look at. `excerpt` is ASCII, so that nothing in it is hidden."""

    kind: Kind
    where: str
    message: str
    excerpt: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" + (f": {self.excerpt}" if self.excerpt else "")


def scan(
    tool: Mapping[str, Any], others: Mapping[str, Iterable[str]] | None = None, own: Iterable[str] = ()
) -> list[Suspicion]:
    """What is suspicious about a tool's definition, as `tools/list` gives it.

    Every text is read: name, title, description, keys and values of schemas and annotations. `others` are the names of
    other servers' tools, by server; a description that speaks of one is told, unless the server has one in `own`, too.
    """
    found: list[Suspicion] = []
    everything = list(strings(tool))
    foreign = {name: server for server, names in (others or {}).items() for name in names}
    spoken = {name: server for name, server in foreign.items() if name not in set(own)}
    for where, text in everything:
        found += scan_text(text, where)
        found += _mentions(text, where, spoken) if where != "name" else []
    if not any(each.kind == "order" for each in found):  # in two fields, it is read as one
        found += _orders(" ".join(text for _, text in everything), "title, description and schema together")
    return [*found, *_alike(str(tool.get("name", "")), foreign)]


def scan_servers(servers: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[tuple[str, str], list[Suspicion]]:
    """What is suspicious about tools that are used together, by (server, tool). Others are not in it."""
    names = {server: [str(tool.get("name")) for tool in tools] for server, tools in servers.items()}
    found: dict[tuple[str, str], list[Suspicion]] = {}
    for server, tools in servers.items():
        others = {other: theirs for other, theirs in names.items() if other != server}
        seen: dict[str, str] = {}
        for tool in tools:
            name = str(tool.get("name"))
            each = scan(tool, others, names[server])
            twin = seen.setdefault(skeleton(name), name)
            if twin != name:
                each.append(Suspicion("lookalike", "name", f"looks like {twin!a}, of the same server"))
            if each:
                found[server, name] = each
    return found


def scan_text(text: str, where: str = "text") -> list[Suspicion]:
    """What is hidden in one text, and what in it reads like an order."""
    return [*_unseen(text, where), *_orders(text, where)]


def shown(tool: Mapping[str, Any]) -> str:
    """The whole definition, for whoever approves it: nothing is cut, and what nobody sees is written as `\\u....`."""
    text = json.dumps(tool, indent=1, ensure_ascii=False, sort_keys=True)
    return "".join(c if c == "\n" or (c.isprintable() and not _invisible(c)) else ascii(c)[1:-1] for c in text)


def strings(value: object, where: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, and every key that is no word of JSON Schema, with the way to it."""
    if isinstance(value, str):
        yield where or "text", value
    elif isinstance(value, dict):
        for key, each in cast(Json, value).items():
            way = f"{where}/{key}" if where else key
            if not key.isidentifier() or len(key) > _LONG_WORD:
                yield f"{where}, a key", key
            yield from strings(each, way)
    elif isinstance(value, list):
        for at, each in enumerate(cast("list[object]", value)):
            yield from strings(each, f"{where}/{at}")


def plain(text: str) -> str:
    """The text as it is meant: other forms of letters and lookalikes as Latin ones, no marks, one space for many."""
    text = "".join(c for c in unicodedata.normalize("NFKC", text) if not _invisible(c))
    text = unicodedata.normalize("NFKD", text.translate(_LIKE))
    text = re.sub(
        r"(?<![*_`\\])[*_`\\]+(?=\w)|(?<=\w)[*`]+", "", "".join(c for c in text if not unicodedata.combining(c))
    )
    return " ".join(text.replace("\u2019", "'").split())


def skeleton(name: str) -> str:
    """What a name looks like: two names with one skeleton are hard to tell apart."""
    folded = unicodedata.normalize("NFKC", name).translate(_LIKE).replace("I", "l").lower()
    return re.sub(r"[-_. ]", "", folded.translate(str.maketrans("01", "ol")).replace("rn", "m").replace("vv", "w"))


def orders_in(text: str) -> str:
    """The first words of a text that read like an order to a model, also when they are encoded; empty for none."""
    versions = dict.fromkeys([text, plain(text), re.sub(r"(?<=[a-z])[_-]+(?=[a-z])", " ", text.lower())])
    for version in [each for each in _decoded(text) if each and each not in versions]:
        versions.update(dict.fromkeys([version, plain(version)]))
    return next((match[0] for version in versions if (match := INSTRUCTION.search(version))), "")


def _orders(text: str, where: str) -> list[Suspicion]:
    found = orders_in(text)
    return [Suspicion("order", where, "reads like an order to the model", ascii(found[:120]))] if found else []


def _unseen(text: str, where: str) -> list[Suspicion]:
    text = _FLAGS.sub("", text)
    found: list[Suspicion] = []
    for title, pattern in (*_HIDDEN, *_OUT_OF_SIGHT):
        if match := pattern.search(text):
            around = ascii(text[max(0, match.start() - 20) : match.start() + 40])
            found.append(Suspicion("hidden", where, title, around))
    return found


def _mentions(text: str, where: str, foreign: Mapping[str, str]) -> list[Suspicion]:
    both = f"{plain(text)}\n{unicodedata.normalize('NFKC', text)}"
    words = {each.rstrip(".-") for each in re.findall(r"[\w.-]+", both)}
    quoted = set(re.findall(r"[`'\"](\w+)[`'\"]", text))
    # A name that is an ordinary word ("search") is one in ordinary texts, unless it stands in quotes.
    named = sorted(name for name in foreign if name in quoted or (name in words and not name.isalpha()))
    return [Suspicion("other tool", where, f"speaks of {name}, a tool of {foreign[name]}") for name in named]


def _alike(name: str, foreign: Mapping[str, str]) -> list[Suspicion]:
    found: list[Suspicion] = []
    if name in foreign:
        found.append(Suspicion("lookalike", "name", f"{foreign[name]} has a tool of the same name"))
    known = {**{each: owner for owner, names in WELL_KNOWN.items() for each in names}, **foreign}
    for other, server in known.items():
        if other != name and skeleton(other) == skeleton(name):
            found.append(Suspicion("lookalike", "name", f"looks like {other!a}, a tool of {server}", ascii(name)))
            break
    if not name.isascii():
        found.append(Suspicion("lookalike", "name", "has letters that are none of a tool's name", ascii(name)))
    return found


def _invisible(c: str) -> bool:
    return unicodedata.category(c) in ("Cf", "Cn", "Co", "Cs") or "\ufe00" <= c <= "\ufe0f" or c in _FILLERS


def _decoded(text: str) -> Iterator[str]:
    """What is written in a text by other means: tags, selectors, entities, per cent, escapes, base 64, hexadecimal."""
    tags = "".join(chr(ord(c) - 0xE0000) for c in text if 0xE0020 <= ord(c) <= 0xE007E)
    selectors = "".join(chr(ord(c) - 0xE0100 + 16) for c in text if 0xE0100 <= ord(c) <= 0xE01EF)
    yield from (tags, selectors, html.unescape(text), unquote(text))
    yield re.sub(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})", lambda m: chr(int(m[1] or m[2], 16)), text)
    for run in re.findall(r"[A-Za-z0-9+/_-]{20,}={0,2}", text):
        for decode in (_base64, bytes.fromhex):
            try:
                yield decode(run).decode("utf-8")
            except (binascii.Error, ValueError):
                continue


def _base64(run: str) -> bytes:
    bare = run.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(bare + "=" * (-len(bare) % 4))
