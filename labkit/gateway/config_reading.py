"""From the tables of a configuration to a GatewayConfig, with every mistake on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from labkit.catalog import load_catalog
from labkit.errors import CatalogError, GatewayConfigError, did_you_mean
from labkit.gateway.config import ERAS, BackendConfig, Filter, GatewayConfig
from labkit.gateway.config_policy import below, gateway_from, matches, url_problem
from labkit.gateway.tables import Table
from labkit.hosts import check_entry
from labkit.session.tls import Tls

TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
"""What a tool may be called (specification 2026-07-28, server/tools#tool-names)."""
PREFIX = re.compile(r"[A-Za-z0-9_.-]{0,64}")
WAYS = ("command", "url", "catalog")
ENTRY = (*WAYS, "args", "env", "cwd", "serverUrl", "headers", "type", "transport", "gateway")
OF_HOSTS = ("disabled", "autoApprove", "alwaysAllow", "description", "timeout", "$schema")
"""Keys of an entry that other hosts know, and that are none of a gateway's business."""
WHOLE_OF_HOSTS = ("mcpServers", "servers", "mcp", "inputs", "globalShortcut", "preferences", "$schema")
HTTP = ("", "http", "streamable-http", "streamable_http", "streamablehttp")


def config_from(
    whole: Mapping[str, Any], servers: Mapping[str, Any], *, path: Path | None, twice: Sequence[str] = ()
) -> GatewayConfig:
    """A checked configuration. Raises GatewayConfigError with all mistakes."""
    notes = [f"{key!r} stands twice in one object, and the first is lost; rename or remove one." for key in twice]
    outer = Table(dict(whole), "", notes)
    config = gateway_from(outer.table("gateway") or Table({}, "gateway", notes), path.parent if path else None)
    if "mcp" not in whole:  # else it is the settings file of an editor, with all sorts of things in it
        outer.known("mcpServers")
        outer.close(WHOLE_OF_HOSTS)
    if not servers:
        notes.append('mcpServers: there is no server in it; write {"NAME": {"command": "..."}} or {"url": "..."}.')
    backends = {name: _backend(name, raw, config, path, notes) for name, raw in servers.items() if not _is_off(raw)}
    _check_fallbacks(backends, notes)
    if notes:
        raise GatewayConfigError(_sentence(path, notes), notes)
    return replace(config, backends=backends, path=path)


def _sentence(path: Path | None, notes: Sequence[str]) -> str:
    what = str(path) if path else "The gateway's configuration"
    if len(notes) == 1:
        return f"{what}: {notes[0]}"
    return "\n  ".join([f"{what} has {len(notes)} mistakes:", *notes])


def _is_off(raw: Any) -> bool:
    return isinstance(raw, dict) and cast("dict[str, Any]", raw).get("disabled") is True


def _backend(name: str, raw: Any, config: GatewayConfig, path: Path | None, notes: list[str]) -> BackendConfig:
    if isinstance(raw, BackendConfig):
        return replace(raw, name=name)
    if path is None and isinstance(raw, str):
        raw = {"url" if "://" in raw else "catalog": raw}
    elif path is None and not isinstance(raw, (dict, list, int, float, type(None))):
        raw = {"server": raw}
    table = Table(raw, f"server {name!r}", notes)
    if not isinstance(raw, dict):
        return BackendConfig(name)
    made = _way(name, table, path)
    return _options(
        made, table.table("gateway") or Table({}, table.at("gateway"), notes), config, path.parent if path else None
    )


def _way(name: str, table: Table, path: Path | None) -> BackendConfig:
    raw = table.raw
    ways = [key for key in (*WAYS, "serverUrl") if raw.get(key)]
    table.known(*ENTRY)
    if path is None:
        table.known("server")
        ways += ["server"] * (raw.get("server") is not None)
    table.close(OF_HOSTS)
    if len(ways) != 1:
        found = f"found {' and '.join(repr(way) for way in ways)}" if ways else "it says not how to reach the server"
        table.note("", f"{found}; write exactly one of 'command', 'url' and 'catalog'.")
        return BackendConfig(name)
    if ways == ["server"]:
        return BackendConfig(name, server=raw["server"])
    if ways == ["catalog"]:
        return BackendConfig(name, catalog=_catalog(table))
    entry, mistakes = check_entry(name, {key: value for key, value in raw.items() if key != "gateway"})
    for mistake in mistakes:
        table.note("", mistake)
    if mistakes:
        return BackendConfig(name)
    if entry.url:
        if problem := url_problem(entry.url):
            table.note("url", problem)
        if entry.type not in HTTP:
            table.note("type", f'found "{entry.type}"; write "http": a gateway reaches URLs by Streamable HTTP only.')
        return BackendConfig(name, url=entry.url, headers=entry.headers)
    if entry.type not in ("", "stdio"):
        table.note("type", f'found "{entry.type}"; write "stdio" or nothing: a command is reached by stdio.')
    cwd = entry.cwd if path is None else str(below(path.parent, entry.cwd or "."))
    return BackendConfig(name, command=entry.command, args=entry.args, env=entry.env, cwd=cwd)


def _catalog(table: Table) -> str:
    name = table.text("catalog", wanted="the name of one of the lab's servers")
    try:
        if name:
            load_catalog().find(name)
    except CatalogError as error:
        table.note("catalog", str(error))
    return name


def _options(made: BackendConfig, table: Table, config: GatewayConfig, folder: Path | None) -> BackendConfig:
    letters = 'at most 64 letters, digits, "_", "." and "-", or "" for bare names'
    prefix = table.text("prefix", made.name, letters, matches(PREFIX))
    if not PREFIX.fullmatch(prefix):
        table.note("prefix", f"it is missing, and {made.name!r} cannot be one; write {letters}.")
    pinned: bool | str = config.pins is not None
    options = replace(
        made,
        prefix=prefix,
        era=table.choice("era", "auto", ERAS),
        tools=_filter(table, "tools", matches(TOOL_NAME)),
        resources=_filter(table, "resources", None),
        prompts=_filter(table, "prompts", bool),
        timeout=table.seconds("timeout", None),
        start=table.choice("start", "lazy", ("lazy", "eager")),
        instances=table.whole("instances", 1, 1, 64),
        replicas=table.texts("replicas", (), 'a list of URLs, such as ["http://127.0.0.1:9001/mcp"]'),
        balance=table.choice("balance", "round_robin", ("round_robin", "least_loaded")),
        fallback=table.text("fallback", wanted="the name of another server of this file"),
        pin=table.take("pin", pinned, 'true, false or "strict"', lambda v: isinstance(v, bool) or v == "strict"),
        version=table.text("version", wanted='a word, such as "v1"'),
        deprecated=table.text("deprecated", wanted='what to use instead, such as "use v2"'),
    )
    options = replace(options, tls=_tls(options, table, folder))
    table.close()
    for n, url in enumerate(options.replicas):
        if problem := url_problem(url):
            table.note(f"replicas[{n}]", problem)
    if options.replicas and (made.command or made.catalog or made.server is not None):
        table.note("replicas", "they are for a server with a 'url'; write 'instances' to start more of one command.")
    if options.instances > 1 and (made.url or made.server is not None):
        table.note("instances", "they are for a command that the gateway starts; write 'replicas' for more URLs.")
    return options


def _tls(made: BackendConfig, outer: Table, folder: Path | None) -> Tls | None:
    if (table := outer.table("tls")) is None:
        return None
    found = {name: table.text(name, wanted="a file in PEM form") for name in ("ca", "cert", "key")}
    table.close()
    if any(not url.lower().startswith("https:") for url in (made.url, *made.replicas)):
        outer.note("tls", "it is for a server whose 'url', and each of its replicas, begins with https.")
    if found["key"] and not found["cert"]:
        table.note("cert", "it is missing, and there is a key; write the file of its certificate.")
    return Tls(**{name: str(below(folder, place)) for name, place in found.items() if place})


def _filter(outer: Table, kind: str, new_name: Callable[[str], Any] | None) -> Filter:
    if (table := outer.table(kind)) is None:
        return Filter()
    wanted = 'a list of patterns, such as ["add*"]'
    made = Filter(table.texts("allow", ("*",), wanted), table.texts("deny", (), wanted))
    if new_name is not None:
        named = '{"its name": "the name that clients see"}, in letters, digits, "_", "." and "-"'
        made = replace(made, rename=table.mapping("rename", named, lambda v: isinstance(v, str) and bool(new_name(v))))
    table.close()
    return made


def _check_fallbacks(backends: Mapping[str, BackendConfig], notes: list[str]) -> None:
    for name, backend in backends.items():
        at = f"server {name!r}, gateway.fallback"
        if backend.fallback and backend.fallback not in backends:
            others = [other for other in backends if other != name]
            notes.append(f"{at}: there is no server {backend.fallback!r}. {did_you_mean(backend.fallback, others)}")
            continue
        seen, at_last = [name], backend.fallback
        while at_last in backends and at_last not in seen:
            seen.append(at_last)
            at_last = backends[at_last].fallback
        if at_last == name:
            notes.append(f"{at}: {' -> '.join([*seen, name])} goes round in a circle; take one of them out.")
