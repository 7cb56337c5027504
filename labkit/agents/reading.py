"""The instructions that the obedient model finds in a text. The rules are written down here, and nothing else is read.

    call TOOL / use TOOL / run TOOL [with A=1, B="two"]       a call; `A=its content` is what came last
    read FILE                                                 a call of the tool that reads files, with FILE
    send WHAT to WHOM                                         a call of the tool that sends; WHAT like A=...
    before using TOOL, ORDER [and pass its content as ARG]    ORDER comes before each call of TOOL, and fills ARG
    when using TOOL, set ARG to VALUE                         in each call of TOOL

Capitals do not count; "this tool" is the one whose description it stands in. Text in characters that nobody sees is
read like any other. A real model follows far more than that, and none of it reliably.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

LAST = object()
"""The value of an argument that is to be what the last call gave."""
_VALUE = r"\"[^\"]*\"|'[^']*'|`[^`]*`|(?:its|the) (?:contents?|results?|answers?|text)|it\b|that\b|[^\s,;]+"
_VERB = r"(?:call|use|run|invoke)"
_CALL = re.compile(
    rf"\b{_VERB}(?: the tool)? [`'\"]?(?P<tool>[\w./-]*\w)[`'\"]?(?: tool)?(?: with (?P<given>.+))?", re.I
)
_READ = re.compile(r"\bread (?:the )?(?:file )?[`'\"]?(?P<file>[\w~./\\-]*\w\.\w+|[\w~.-]*/[\w./-]+\w)", re.I)
_SEND = re.compile(
    rf"\b(?:send|mail|post|forward|pass) (?P<what>{_VALUE}|[^.;\n]+?) to [`'\"]?(?P<whom>[\w.+@:/-]*\w)", re.I
)
_BEFORE = re.compile(
    r"\bbefore (?:you )?(?:using|calling|running|use|call|run) [`'\"]?(?P<tool>this tool|[\w./-]*\w)[`'\"]?"
    r"(?: tool)?,? *(?:first |always |you must )?(?P<order>.+)",
    re.I,
)
_PASS = re.compile(
    rf"\band (?:then )?(?:pass|put|give|include|send) (?:{_VALUE}) (?:as|in|into)"
    r" (?:the )?(?:argument |parameter |field )?[`'\"]?(?P<arg>\w+)",
    re.I,
)
_SET = re.compile(
    r"\b(?:when|whenever|while) (?:you )?(?:using|calling|use|call) [`'\"]?(?P<tool>this tool|[\w./-]*\w)[`'\"]?"
    r"(?: tool)?,? *(?:always |you must )?set (?:the )?(?:argument )?[`'\"]?(?P<arg>\w+)[`'\"]?"
    rf" to (?P<value>{_VALUE})",
    re.I,
)
_GIVEN = re.compile(rf"[`'\"]?(?P<arg>\w+)[`'\"]? ?= ?(?P<value>{_VALUE})")
_FIRST = re.compile(r"\b(?:first|always|also|you must|important:?)\b", re.I)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")


@dataclass(frozen=True)
class Order:
    """Something to do: a tool by its name, "read" for a file or "send"; with arguments, or positional `values`."""

    kind: str
    tool: str = ""
    given: dict[str, Any] = field(default_factory=dict[str, Any])
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Before:
    """Something to do before each call of `tool`, whose result fills `arg`, if one is named."""

    tool: str
    order: Order
    arg: str = ""


@dataclass(frozen=True)
class Setting:
    """An argument that is to have this value in each call of `tool`."""

    tool: str
    arg: str
    value: Any


def seen_by_a_model(text: str) -> str:
    """The text with tag characters (U+E0000 and on) as the letters they stand for, and without marks and tags."""
    letters = (chr(ord(c) - 0xE0000) if 0xE0020 <= ord(c) <= 0xE007E else c for c in text)
    plain = "".join(c for c in letters if c.isprintable() or c == "\n")
    return re.sub(r"</?[A-Za-z]\w*>", "\n", plain)


def orders(text: str, *, description: bool = False) -> list[Order]:
    """What a text says to do. In a description only sentences that insist: "Reads a file" is no order."""
    found: list[Order] = []
    for sentence in _SENTENCE.split(seen_by_a_model(text)):
        if _BEFORE.search(sentence) or _SET.search(sentence) or (description and not _FIRST.search(sentence)):
            continue
        found += _orders(sentence)
    return found


def conditions(text: str, this_tool: str) -> list[Before | Setting]:
    """What a text says about calls of a tool; `this_tool` is the one that it describes."""
    found: list[Before | Setting] = []
    for sentence in _SENTENCE.split(seen_by_a_model(text)):
        if match := _SET.search(sentence):
            found.append(Setting(_named(match["tool"], this_tool), match["arg"], _value(match["value"])))
        elif match := _BEFORE.search(sentence):
            passed = _PASS.search(match["order"])
            inner = _orders(match["order"][: passed.start()] if passed else match["order"])
            found += [Before(_named(match["tool"], this_tool), o, passed["arg"] if passed else "") for o in inner]
    return found


def _orders(sentence: str) -> list[Order]:
    found: list[tuple[int, Order]] = []
    for match in _CALL.finditer(sentence):
        given = {m["arg"]: _value(m["value"]) for m in _GIVEN.finditer(match["given"] or "")}
        found.append((match.start(), Order("call", match["tool"], given)))
    found += [(m.start(), Order("read", values=(m["file"],))) for m in _READ.finditer(sentence)]
    found += [(m.start(), Order("send", values=(_value(m["what"]), m["whom"]))) for m in _SEND.finditer(sentence)]
    return [order for _, order in sorted(found, key=lambda each: each[0])]


def _named(tool: str, this_tool: str) -> str:
    return this_tool if tool.lower() == "this tool" else tool


def _value(text: str) -> Any:
    if re.fullmatch(r"(?:its|the) (?:contents?|results?|answers?|text)|it|that", text, re.I):
        return LAST
    if text[:1] in "\"'`":
        return text[1:-1]
    text = text.rstrip(".,;")
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)
