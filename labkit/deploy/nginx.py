"""Rules for nginx in front of MCP, and a reader for its configuration: directives, and blocks of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from labkit.deploy.reading import found
from labkit.deploy.rules import DeployError, Finding

_TOKEN = re.compile(r"""\s*(?:\#[^\n]*|("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[;{}]|(?:\$\{[^}]*\}|\\.|[^\s;{}"'])+))""")


@dataclass
class Directive:
    """One directive; `block` is what stands in its braces."""

    name: str
    args: list[str]
    block: list[Directive] = field(default_factory=list["Directive"])


def read_nginx(text: str) -> list[Directive]:
    """The directives of a file. Raises DeployError when its braces do not close."""
    top = Directive("", [])
    open_blocks, words = [top], list[str]()
    for token in (match[1] for match in _TOKEN.finditer(text) if match[1]):
        if token not in (";", "{", "}"):
            words.append(token.strip("\"'"))
            continue
        if words:
            made = Directive(words[0], words[1:])
            open_blocks[-1].block.append(made)
            words = []
            if token == "{":
                open_blocks.append(made)
        elif token == "}" and len(open_blocks) > 1:
            open_blocks.pop()
        elif token != ";":
            raise DeployError(f"This nginx configuration has a {token!r} too many: compare its braces.")
    if len(open_blocks) > 1 or words:
        raise DeployError("This nginx configuration ends inside a block: close its braces.")
    return top.block


def judge_nginx(text: str) -> Iterator[Finding]:
    """What is wrong where nginx passes requests on. A directive of a block holds further in, unless it is set anew."""
    yield from _walk(read_nginx(text), [], "")


def passing(directives: Sequence[Directive], outer: Sequence[Directive] = ()) -> Iterator[tuple[list[Directive], str]]:
    """The directives that hold at each proxy_pass, the outermost first, and where that is."""
    here = [*outer, *directives]
    for each in directives:
        if each.name == "proxy_pass":
            yield here, " ".join(each.args)
        elif each.block:
            yield from passing(each.block, here)


def _walk(directives: Sequence[Directive], outer: Sequence[Directive], where: str) -> Iterator[Finding]:
    headers = [each for each in directives if each.name == "proxy_set_header"]
    # One proxy_set_header in a block undoes all of those around it.
    kept = [each for each in outer if not (headers and each.name == "proxy_set_header")]
    here = [*kept, *directives]
    if any(each.name == "proxy_pass" for each in directives):
        yield from _pass(here, where or "the file")
    for each in directives:
        if each.block:
            place = " ".join([each.name, *each.args])
            yield from _walk(each.block, here, f"{where}, {place}" if where else place)


def _pass(here: Sequence[Directive], where: str) -> Iterator[Finding]:
    said = {each.name: each.args for each in here}
    if said.get("proxy_buffering") != ["off"]:
        yield found("proxy-buffering", where, "proxy_buffering is not off")
    hosts = [each.args[-1] for each in here if each.name == "proxy_set_header" and each.args[:1] == ["Host"]]
    if not hosts or not re.fullmatch(r"\$(http_)?host|[\w.-]+(:\d+)?", hosts[-1]):
        yield found("proxy-host", where, "Host is not passed on")
    if "non_idempotent" in said.get("proxy_next_upstream", []):
        yield found("proxy-retries-calls", where, "proxy_next_upstream has non_idempotent")
    if seconds(said.get("proxy_read_timeout", ["60s"])[0]) <= 60:
        yield found("proxy-read-timeout", where, f"proxy_read_timeout is {said.get('proxy_read_timeout', ['60s'])[0]}")


def seconds(text: str) -> float:
    """A time as nginx writes it: 75, 75s, 10m, 1h. 0 for what is none."""
    match = re.fullmatch(r"(\d+)(ms|s|m|h|d)?", text)
    return int(match[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2] or "s"] if match else 0.0
