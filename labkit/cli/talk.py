"""`labkit servers`, `labkit serve` and `labkit call`: the example servers, and any other server, from a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from labkit.cli.exits import FAILED, NO_CONNECTION, STOPPED, USAGE, say, told, wrong_usage


def _pem(name: str, help: str) -> Any:
    return typer.Option(name, metavar="FILE", exists=True, dir_okay=False, help=help)


CA = Annotated[Path | None, _pem("--ca", "For https: the CA of the server, in PEM form.")]
CERT = Annotated[Path | None, _pem("--cert", "For https: a certificate to show.")]
KEY = Annotated[Path | None, _pem("--key", "Its private key, if in another file.")]


class Via(StrEnum):
    """Transports to connect over."""

    memory = "memory"
    stdio = "stdio"
    http = "http"
    sse = "sse"


class ServeVia(StrEnum):
    """Transports to serve over."""

    stdio = "stdio"
    http = "http"
    sse = "sse"


class Output(StrEnum):
    """What `call` prints."""

    text = "text"
    json = "json"


def servers(as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False) -> None:
    """List the example servers.

    \b
    Examples:
      labkit servers
      labkit servers --json
    """
    from labkit.catalog import load_catalog

    with told():
        catalog = load_catalog()
    if as_json:
        entries = [{"name": e.name, "summary": e.summary, "teaches": list(e.teaches)} for e in catalog.values()]
        typer.echo(json.dumps(entries, indent=2, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("server", "what it is", "teaches", box=None, pad_edge=False)
    for entry in catalog.values():
        table.add_row(f"[bold]{entry.name}[/]", entry.summary, ", ".join(entry.teaches))
    Console().print(table)


def serve(
    name: Annotated[str, typer.Argument(help="A server of `labkit servers`, or a .py file with a `server` in it.")],
    via: Annotated[ServeVia, typer.Option(help="How clients reach it.")] = ServeVia.http,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1 for http and sse; 0 takes a free one.")
    ] = 0,
) -> None:
    """Run one server until Ctrl-C. Over http its address is printed; over stdio it talks on stdin and stdout.

    A host such as Claude Desktop or Cursor starts it as:  python start.py serve NAME --via stdio

    \b
    Examples:
      labkit serve calculator
      labkit serve notes --port 8001
      labkit serve my_server.py --via stdio
    """
    from labkit.catalog import LAB_ROOT, CatalogEntry, load_catalog
    from labkit.session.serving import launch_command

    with told():
        file = Path(name)
        entry = (
            CatalogEntry(name, file.resolve(), "")
            if file.suffix == ".py" and file.is_file()
            else load_catalog().find(name)
        )
    environment = {**os.environ, **entry.env, "PYTHONUTF8": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(LAB_ROOT), os.environ.get("PYTHONPATH")]))
    if not entry.is_python and via is ServeVia.sse:
        raise wrong_usage(f"{name} is not written in Python: it is served over http or stdio.")
    with told():
        command = launch_command(via, entry.path, *(() if via is ServeVia.stdio else (entry.object, str(port))))
    if via is ServeVia.stdio:
        raise typer.Exit(_hand_over(command, environment))
    if port and not _is_free(port):
        say(f"error: port {port} of 127.0.0.1 is in use; leave --port out for a free one")
        raise typer.Exit(NO_CONNECTION)
    raise typer.Exit(_serve_web(entry.name, command, environment))


def _hand_over(command: list[str], environment: Mapping[str, str]) -> int:
    """Become the server where the system can; else run it on this process's stdin and stdout."""
    if os.name != "nt":
        sys.stdout.flush()
        os.execve(command[0], command, dict(environment))
    server = subprocess.Popen(command, env=environment)
    try:
        return FAILED if _wait(server) else 0
    except KeyboardInterrupt:
        server.wait()  # it shares this console and has heard Ctrl-C as well
        return STOPPED


def _serve_web(name: str, command: list[str], environment: Mapping[str, str]) -> int:
    """The launcher says its address when it accepts connections, and stops when its stdin closes."""
    # A group of its own: Ctrl-C then reaches this process alone, which ends the server in an orderly way.
    apart: dict[str, Any] = (
        {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        if sys.platform == "win32"
        else {"start_new_session": True}
    )
    from labkit.session.launch import NO_SERVER
    from labkit.session.serving import url_of

    server = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        **apart,
    )
    assert server.stdin is not None and server.stdout is not None
    try:
        url = ""
        for line in server.stdout:
            if url := url_of(line):
                break
            say(line.rstrip())  # something that the server prints; stdout is for the address
        if not url:
            if (code := server.wait()) == NO_SERVER:
                return USAGE  # the launcher has said why
            say(f"error: {name} ended before it accepted connections, with exit code {code}; see above")
            return NO_CONNECTION
        threading.Thread(target=_pass_on, args=(server.stdout,), daemon=True).start()
        say(f"{name} is served; Ctrl-C stops it. Try: labkit call {url} TOOL --arg KEY=VALUE")
        typer.echo(url)
        return FAILED if _wait(server) else 0
    except KeyboardInterrupt:
        return STOPPED
    finally:
        server.stdin.close()
        server.wait()


def _pass_on(lines: IO[str]) -> None:
    """Read what the server prints: a full pipe would stop it for ever."""
    for line in lines:
        say(line.rstrip())


def _wait(process: subprocess.Popen[Any]) -> int:
    """Wait in short steps: on Windows a longer wait does not hear Ctrl-C."""
    while True:
        try:
            return process.wait(0.5)
        except subprocess.TimeoutExpired:
            continue


def _is_free(port: int) -> bool:
    from labkit.session.launch import listen

    try:
        listen(port).close()
    except OSError:
        return False
    return True


def call(
    target: Annotated[str, typer.Argument(help="A catalog name, a URL, a command line, or a host configuration file.")],
    tool: Annotated[str, typer.Argument(help="Name of the tool.")],
    arg: Annotated[
        list[str] | None,
        typer.Option("--arg", "-a", metavar="KEY=VALUE", help="One argument; the value is JSON, or else text. Repeat."),
    ] = None,
    arguments: Annotated[str | None, typer.Option("--json", help="All arguments as one JSON object.")] = None,
    via: Annotated[Via | None, typer.Option(help="Transport, where the target leaves a choice.")] = None,
    era: Annotated[str, typer.Option(help="Protocol revision, such as 2025-11-25, or auto.")] = "auto",
    server: Annotated[str | None, typer.Option(help="The entry to use in a host configuration file.")] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="NAME: VALUE", help="HTTP header, for URLs. Repeat.")
    ] = None,
    ca: CA = None,
    cert: CERT = None,
    key: KEY = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for the answer.")] = 60.0,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Accept what the server asks, with the default of each field.")
    ] = False,
    answer: Annotated[
        list[str] | None,
        typer.Option(metavar="JSON", help="Accept a question of the server with this object. Repeat: in turn."),
    ] = None,
    output: Annotated[
        Output, typer.Option(help="text: the data; json: the whole result as on the wire.")
    ] = Output.text,
) -> None:
    """Call one tool and print what it answers.

    What the server asks in the meantime (elicitation) is shown on stderr with the answer that it got: declined, unless
    --answer has one left for it, or --yes accepts.

    Exit code 0 for an answer, 1 for a tool error or a refused request, 2 for wrong usage, 3 without a connection.

    \b
    Examples:
      labkit call calculator add -a a=2 -a b=3
      labkit call notes create --json '{"title": "x"}' --via stdio
      labkit call http://127.0.0.1:8001/mcp add -a a=2 -a b=3 -H 'Authorization: Bearer KEY' --output json
      labkit call everything delete_path -a path=/x --answer '{"sure": true}'
    """
    given, typed = parse_arguments(arg or [], arguments)
    headers = parse_headers(header or [])
    tls = tls_files(target, ca, cert, key)
    on_elicit = Answering(parse_answers(answer or []), yes)
    from labkit.errors import EraError
    from labkit.session import sync
    from labkit.session.client import check_era

    try:
        check_era(era)
    except EraError as error:
        raise wrong_usage(str(error)) from None

    try:
        with told():
            options: dict[str, Any] = {"headers": headers} if headers else {}
            if via is not None:
                options["via"] = via.value
            if tls:
                options["tls"] = tls
            with sync.connect(
                target,
                era=era,
                server=server,
                timeout=timeout,
                patience=max(timeout, 10),
                on_elicit=on_elicit,
                **options,
            ) as conn:
                known = [each.input_schema for each in conn.tools if each.name == tool]
                keep_text(given, typed, known[0] if known else {})
                result = conn.call(tool, given, progress=False)
    except KeyboardInterrupt:
        say("stopped")
        raise typer.Exit(STOPPED) from None
    if output is Output.json:
        typer.echo(json.dumps(result.raw, indent=2, ensure_ascii=False))
    elif result.is_error:
        say("\n".join(filter(None, [f"tool error: {result.text}", result.hint])))
    else:
        data = result.data
        typer.echo(data if isinstance(data, str) else json.dumps(data, indent=2, ensure_ascii=False))
    raise typer.Exit(FAILED if result.is_error else 0)


def parse_arguments(pairs: list[str], text: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    """--json and --arg together -> (arguments, the values of --arg as they were typed)."""
    given: dict[str, Any] = {}
    if text is not None:
        try:
            parsed: Any = json.loads(text)
        except json.JSONDecodeError as error:
            raise wrong_usage(f"--json is not JSON: {error}; quote it for your shell: --json '{{\"a\": 2}}'") from None
        if not isinstance(parsed, dict):
            raise wrong_usage(f'--json has to be an object such as {{"a": 2}}, and is {text}')
        given.update(parsed)  # pyright: ignore[reportUnknownArgumentType]
    typed: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise wrong_usage(f"--arg {pair!r}: write KEY=VALUE")
        typed[key] = value
        try:
            given[key] = json.loads(value)
        except json.JSONDecodeError:
            given[key] = value
    return given, typed


def parse_answers(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Each --answer as an object."""
    answers: list[dict[str, Any]] = []
    for text in texts:
        try:
            parsed: Any = json.loads(text)
        except json.JSONDecodeError as error:
            raise wrong_usage(f"--answer is not JSON: {error}") from None
        if not isinstance(parsed, dict):
            raise wrong_usage(f'--answer has to be an object such as {{"sure": true}}, and is {text}')
        answers.append(parsed)  # pyright: ignore[reportUnknownArgumentType]
    return answers


class Answering:
    """Answers what a server asks in a terminal, and says so on stderr: nothing is agreed to that was not asked for."""

    def __init__(self, answers: Sequence[dict[str, Any]], yes: bool) -> None:
        self._left, self._yes = list(answers), yes

    def __call__(self, message: str, schema: dict[str, Any]) -> dict[str, Any] | None:
        """The answer, or None to decline."""
        from labkit.session.handlers import answer_from_schema

        wanted = schema.get("url") or json.dumps(schema.get("properties") or {}, ensure_ascii=False)
        say(f"the server asks: {message}\n  {wanted}")
        if self._left or self._yes:
            given = self._left.pop(0) if self._left else answer_from_schema(schema)
            say(f"accepted: {json.dumps(given, ensure_ascii=False)}")
            return given
        say("declined; to accept: --yes, or --answer JSON with the values")
        return None


def keep_text(given: dict[str, Any], typed: Mapping[str, str], schema: Mapping[str, Any]) -> None:
    """`--arg zip=94107` is text for a tool that wants text, though it reads as a number."""
    from labkit.session.listing import properties_of

    properties = properties_of(schema)
    for key, value in typed.items():
        if properties.get(key, {}).get("type") == "string" and not isinstance(given[key], str):
            given[key] = value


def tls_files(
    target: str, ca: Path | None, cert: Path | None, key: Path | None, *, as_json: bool = False
) -> dict[str, Path]:
    """What --ca, --cert and --key say, as `tls=` takes it; {} when they say nothing."""
    given = {name: file for name, file in (("ca", ca), ("cert", cert), ("key", key)) if file is not None}
    if given and not target.lower().startswith("https://"):
        raise wrong_usage("--ca, --cert and --key are for a URL that begins with https://.", as_json=as_json)
    if key and not cert:
        raise wrong_usage("--key is the key of a certificate: name that too, with --cert.", as_json=as_json)
    return given


def parse_headers(lines: list[str]) -> dict[str, str]:
    """`Name: value` lines -> a mapping."""
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise wrong_usage(f"--header {line!r}: write 'NAME: VALUE'")
        headers[name.strip()] = value.strip()
    return headers
