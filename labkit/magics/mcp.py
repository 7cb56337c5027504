"""`%mcp` and `%%mcp`: connect, look, call and read in one line, without `await`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import no_var_expand

from labkit.errors import LabError, did_you_mean
from labkit.magics import words as w
from labkit.magics.desk import Desk, awaited

OPTIONS = ("via", "era", "server", "name", "cwd", "timeout", "patience", "listing", "log_level")
"""What `%mcp connect` takes beside `env`, `headers`, `tls` and `on_...`, which come from variables."""
FROM_VARIABLES = ("env", "headers", "tls", "on_elicit", "on_sample", "on_roots", "on_log")
_TEXT = {"via", "era", "server", "name", "cwd", "log_level"}

DOC = """Talk to MCP servers, one line each. Results are values: `x = %mcp call add a=2 b=3`.

    %mcp                                    the connections, and the one in use
    %mcp servers                            the servers that the lab has
    %mcp connect calculator                 connect; also: as calc, via=stdio, era=2025-11-25, ...
    %mcp connect "npx -y some-server"       a command line, a URL, a file, or $name of a variable
    %mcp tools                              what the server offers; tools NAME for another connection
    %mcp doc add                            one tool or prompt
    %mcp call add a=2 b=3                   call a tool
    %mcp read notes://todo                  read a resource
    %mcp prompt review code="x = 1"         get a prompt
    %mcp tape                               every frame that crossed the wire
    %mcp log                                what the server wrote to stderr, or logged
    %mcp inspect                            the inspector
    %mcp use calc                           talk to another connection, or to a variable that holds one
    %mcp close                              close the connection in use, or the named ones

A value is what the tool's schema says: `a=2` is a number for a number and text for a text. Text with spaces
stands in quotes, lists and objects are JSON (`tags=["a", "b"]`), and `a=$x` takes the variable x.
All arguments as JSON, which is sent as it is:

    %%mcp call add
    {"a": 2, "b": 3}

Connections made here are those of `lab.sync`: `calc.call("add", a=2, b=3)` needs no `await` either. They end
with the kernel. Tab completes verbs, servers, tools, arguments, their values, and addresses.
"""


class Shown(str):
    """Text that a notebook shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass
class Line:
    """One line of the magic: the words after the verb, the cell beneath, and where it was written."""

    desk: Desk
    words: list[str]
    cell: str | None
    names: dict[str, Any]
    push: Callable[[dict[str, Any]], None]

    def value(self, text: str) -> Any:
        """A word outside a schema: a variable, or text."""
        return w.variable(text, self.names) if w.is_variable(text) else w.plain(text)

    def one(self, usage: str, rest: bool = False) -> str:
        """The word that a verb needs; with `rest`, more may follow."""
        if not self.words or (len(self.words) > 1 and not rest):
            raise UsageError(f"Write %mcp {usage}.")
        return w.plain(self.words[0])

    def conn(self) -> tuple[str, Any]:
        """The connection named by the line, or the one in use."""
        if len(self.words) > 1:
            raise UsageError(f"One connection at a time: {' '.join(self.words)!r} are {len(self.words)} words.")
        return self.desk.find(w.plain(self.words[0]) if self.words else "")


def register(ip: Any) -> Desk:
    """Make `%mcp` and `%%mcp` known to a shell. Returns the desk that they work at."""
    from labkit.magics import prepare

    desk = Desk(ip.user_ns)

    @no_var_expand  # braces are JSON here, and $name is ours
    def mcp(line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        prepare(ip)
        found = w.split(line)
        verb, rest = (found[0], found[1:]) if found else ("", [])
        do = VERBS.get(verb)
        if do is None:
            raise UsageError(f"%mcp has no {verb!r}. {did_you_mean(verb, [v for v in VERBS if v])} See %mcp?")
        if cell is not None and verb != "call":
            raise UsageError(f"%%mcp is for calls: %%mcp call NAME, and JSON below. For {verb!r}, write %mcp {verb}.")
        return do(Line(desk, rest, cell, {**ip.user_ns, **(local_ns or {})}, ip.push))

    mcp.needs_local_scope = True  # type: ignore[attr-defined]
    mcp.__doc__ = DOC
    ip.register_magic_function(mcp, magic_kind="line_cell", magic_name="mcp")
    return desk


def _state(line: Line) -> Any:
    known = line.desk.all
    if not known:
        return Shown("No connection yet. Open one with %mcp connect calculator; %mcp? lists what there is.")
    try:
        used = line.desk.find()[0]
    except UsageError:
        used = ""
    rows = [f"{'*' if name == used else ' '} {name}  {conn!r}" for name, conn in known.items()]
    return Shown("\n".join(rows))


def _servers(line: Line) -> Any:
    from labkit.catalog import load_catalog

    return load_catalog()


def _connect(line: Line) -> Any:
    name, target, options = "", list[Any](), dict[str, Any]()
    words = iter(line.words)
    for word in words:
        key, equals, value = word.partition("=")
        if word == "as" and target:
            name = next(words, "")
            if not name.isidentifier():
                raise UsageError(f"as {name}: write as and the name of a variable, such as: as calc.")
        elif equals and key.isidentifier():
            options[key] = _option(line, key, value)
        else:
            target.append(line.value(word))
    if not target:
        raise UsageError("Connect to what? %mcp connect calculator; %mcp servers lists the servers.")
    return line.desk.settle([], _connecting(line, name, target[0] if len(target) == 1 else target, options))


async def _connecting(line: Line, name: str, target: Any, options: dict[str, Any]) -> Any:
    from labkit.session import sync
    from labkit.session.connection import connect

    try:
        conn = sync.Connection(await connect(target, **options))
    except LabError as error:
        if str(target) in line.names:
            error.add_note(f"To connect to the variable, write ${target}.")
        raise
    if name:
        line.push({name: conn})
    else:
        line.desk.keep(name := conn.name, conn)
    line.desk.used = name
    return conn


def _option(line: Line, key: str, text: str) -> Any:
    known = (*OPTIONS, *FROM_VARIABLES)
    if key not in known:
        hint = did_you_mean(key, known, has="There are")
        raise UsageError(f"connect has no option {key!r}. {hint} If it belongs to a command, put that in quotes.")
    if w.is_variable(text):
        return w.variable(text, line.names)
    if key in FROM_VARIABLES:
        raise UsageError(f"{key}= comes from a variable: {key}=$NAME.")
    return w.plain(text) if key in _TEXT else w.typed(key, text, {"type": ["number", "boolean", "null"]}, {})


def _tools(line: Line) -> Any:
    return line.conn()[1].tools


def _doc(line: Line) -> Any:
    name = line.one("doc NAME")
    conn = line.desk.find()[1]
    return conn.prompts[name] if name in conn.prompts and name not in conn.tools else conn.tools[name]


def _call(line: Line) -> Any:
    tool = line.one("call NAME a=1 b=text", rest=True)
    given, cell = line.words[1:], line.cell
    if cell is not None and given:
        raise UsageError("The arguments stand either on the line or in the cell below it, not in both.")
    conn = line.desk.find()[1]
    inner = awaited(conn)

    async def work() -> Any:
        if cell is not None:
            return await inner.call(tool, _object(cell))
        if tool not in inner.tools:
            await inner.refresh()  # it may be new
        return await inner.call(tool, _arguments(line, inner.tools.find(tool).input_schema, given, tool))

    return line.desk.settle([conn], work())


def _arguments(line: Line, schema: dict[str, Any], given: list[str], tool: str) -> dict[str, Any]:
    from labkit.session.listing import properties_of

    properties = properties_of(schema)
    return {
        name: w.variable(text, line.names)
        if w.is_variable(text)
        else w.typed(name, text, properties.get(name, {}), schema)
        for name, text in w.pairs(given, list(properties), tool).items()
    }


def _object(cell: str) -> dict[str, Any]:
    try:
        value = json.loads(cell)
    except ValueError as error:
        raise UsageError(f'The cell below %%mcp call is not JSON: {error}. Write an object: {{"a": 2}}') from None
    if not isinstance(value, dict):
        raise UsageError(f'The cell below %%mcp call has to be a JSON object such as {{"a": 2}}, and is {cell.strip()}')
    return value  # pyright: ignore[reportUnknownVariableType]


def _read(line: Line) -> Any:
    uri = line.one("read URI")
    conn = line.desk.find()[1]
    return line.desk.settle([conn], awaited(conn).read(uri))


def _prompt(line: Line) -> Any:
    name = line.one("prompt NAME key=text", rest=True)
    conn = line.desk.find()[1]
    takes = list(conn.prompts[name].schema["properties"]) if name in conn.prompts else []
    given = {key: str(line.value(text)) for key, text in w.pairs(line.words[1:], takes, name).items()}
    return line.desk.settle([conn], awaited(conn).prompt(name, given))


def _tape(line: Line) -> Any:
    return line.conn()[1].tape


def _log(line: Line) -> Any:
    conn = line.conn()[1]
    sent = [f"[{each.level}] {each.logger + ': ' if each.logger else ''}{each.data}" for each in conn.logs]
    return Shown("\n".join([*([str(conn.stderr)] if len(conn.stderr) else []), *sent]) or "(nothing yet)")


def _inspect(line: Line) -> Any:
    from labkit.ui.inspector import inspect

    return inspect(line.conn()[1])


def _use(line: Line) -> Any:
    name, conn = line.desk.find(line.one("use NAME"))
    line.desk.used = name
    return Shown(f"%mcp talks to {name}: {conn!r}")


def _close(line: Line) -> Any:
    found = [line.desk.find(w.plain(word)) for word in line.words] or [line.desk.find()]

    async def close_all() -> None:
        for name, conn in found:
            await awaited(conn).close()
            line.desk.forget(name)

    return line.desk.settle([conn for _, conn in found], close_all())


VERBS: dict[str, Callable[[Line], Any]] = {
    "": _state,
    "servers": _servers,
    "connect": _connect,
    "tools": _tools,
    "doc": _doc,
    "call": _call,
    "read": _read,
    "prompt": _prompt,
    "tape": _tape,
    "log": _log,
    "inspect": _inspect,
    "use": _use,
    "close": _close,
}
