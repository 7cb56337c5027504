"""A pytest plugin: the server under test as fixtures.

    pytest --mcp-target "python server.py"                  # or a URL, a .py file, a catalog name

    @pytest.mark.anyio                                      # anyio runs async tests; it comes with the SDK
    async def test_adds(mcp):                               # an open connection, of this test alone
        assert (await mcp.call("add", a=2, b=3)).data == 5

    def test_adds_plainly(mcp):                             # in a plain test the same without await
        assert mcp.call("add", a=2, b=3).data == 5

    @pytest.mark.mcp_server("python other.py", env={...})   # this server, with options of `lab.connect`
    @pytest.mark.mcp_era("2025-11-25", "2026-07-28")        # once in each era
    @pytest.mark.mcp_via("stdio", "http")                   # and over each transport
    def test_lists(mcp, mcp_tape): ...                      # the frames of this test, so far

What can be reached over which: a command speaks stdio and a URL HTTP, and neither the other; a .py file and a catalog
name can be reached over memory, stdio and http, a server object over memory and http, where the lab serves it itself.

`scope="module"` (or "session") in the marker keeps one connection for all tests of a module: for servers that are slow
to start and remember nothing. A fixture `mcp_server` of your own takes the place of the option: it returns the target,
or `(target, options)`. The frames of a failing test, and what its server wrote to stderr, stand in its report.

Every pytest run of an environment with labkit loads this file, so it imports nothing else until a fixture is used.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from labkit.session.connection import Connection
    from labkit.wire import Tape

MARKERS = (
    "mcp_server(target, scope='function', **options): the server of the fixture `mcp`, with options of lab.connect",
    "mcp_era(*revisions): run the test once in each protocol revision",
    "mcp_via(*transports): run the test once over each transport: memory, stdio, http; http needs a .py file, a catalog"
    " name, a server object or a URL: a command speaks stdio only",
)
NO_SERVER = (
    'No MCP server to test: give pytest --mcp-target "COMMAND", mark the test with @pytest.mark.mcp_server("COMMAND"),'
    " or define a fixture mcp_server that returns one."
)
SHOWN = 60
"""Frames of a failing test that stand in its report."""

_connections = pytest.StashKey[list[tuple[Any, int]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """--mcp-target, --mcp-era, --mcp-via."""
    group = parser.getgroup("mcp", "testing MCP servers (labkit)")
    group.addoption(
        "--mcp-target", metavar="TARGET", help="what the fixture `mcp` connects to: command, URL, .py file or name"
    )
    group.addoption("--mcp-era", action="append", default=[], metavar="REVISION", help="protocol revision; repeat")
    group.addoption("--mcp-via", action="append", default=[], metavar="TRANSPORT", help="memory, stdio or http; repeat")


def pytest_configure(config: pytest.Config) -> None:
    """Announce the markers, for --strict-markers."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One run for each era and transport that a marker, or else the command line, names."""
    for name in ("mcp_era", "mcp_via"):
        values = _named(metafunc.definition, name)
        if name in metafunc.fixturenames and len(values) > 1:
            metafunc.parametrize(name, values, indirect=True)


def _named(item: pytest.Item | pytest.Function, name: str) -> list[str]:
    marker = item.get_closest_marker(name)
    return [str(each) for each in marker.args] if marker else list(item.config.getoption(name) or ())


@pytest.fixture
def mcp_server(request: pytest.FixtureRequest) -> Any:
    """What is tested: the marker's target and options, or --mcp-target. Override it for a target of your own."""
    marker = request.node.get_closest_marker("mcp_server")
    if marker and marker.args:
        options = {name: value for name, value in marker.kwargs.items() if name != "scope"}
        return marker.args[0], options
    target = request.config.getoption("mcp_target")
    if not target:
        pytest.fail(NO_SERVER, pytrace=False)
    return target


@pytest.fixture
def mcp_era(request: pytest.FixtureRequest) -> str:
    """The protocol revision asked for, or auto."""
    return _asked(request, "mcp_era") or "auto"


@pytest.fixture
def mcp_via(request: pytest.FixtureRequest) -> str | None:
    """The transport asked for; None leaves it to the target."""
    return _asked(request, "mcp_via")


def _asked(request: pytest.FixtureRequest, name: str) -> str | None:
    named = _named(request.node, name)
    return getattr(request, "param", None) or (named[0] if named else None)


class Pool:
    """Connections that several tests share, closed together."""

    def __init__(self) -> None:
        self._open: dict[str, Connection] = {}

    def get(self, target: Any, options: dict[str, Any]) -> Connection:
        """The one with this target and these options; a new one when there is none, or when a test has ended it."""
        key = repr((target, sorted(options.items())))
        known = self._open.get(key)
        if known is None or known.closed:
            known = self._open[key] = _connect(target, options)
        return known

    def close(self) -> None:
        """Close them."""
        _close(*self._open.values())


def _pool() -> Generator[Pool]:
    pool = Pool()
    yield pool
    pool.close()


_mcp_module = pytest.fixture(scope="module", name="_mcp_module")(_pool)
_mcp_session = pytest.fixture(scope="session", name="_mcp_session")(_pool)


def _connect(target: Any, options: dict[str, Any]) -> Connection:
    from labkit.errors import LabError
    from labkit.session import connection, sync

    try:
        # On the lab's own background loop: the connection then serves any loop of any plugin, and tests without one.
        return sync.run(connection.connect(target, **options))
    except LabError as error:
        said = "\n".join([str(error), *getattr(error, "__notes__", ())])
    pytest.fail(said, pytrace=False)  # out here: pytest would show a chain of causes


def _close(*connections: Connection) -> None:
    import asyncio

    from labkit.session import sync

    async def closing() -> None:
        await asyncio.gather(*(each.close() for each in connections))

    if connections:
        sync.run(closing())


@pytest.fixture
def _mcp_connection(
    request: pytest.FixtureRequest, mcp_server: Any, mcp_era: str, mcp_via: str | None
) -> Generator[Connection]:
    given: Any = mcp_server
    target, options = cast("tuple[Any, dict[str, Any]]", given) if _is_pair(given) else (given, {})
    options = {"era": mcp_era, **({"via": mcp_via} if mcp_via else {}), **options}
    marker = request.node.get_closest_marker("mcp_server")
    scope = marker.kwargs.get("scope", "function") if marker else "function"
    if scope not in ("function", "module", "session"):
        pytest.fail(f"mcp_server(scope={scope!r}): there are function, module and session.", pytrace=False)
    if scope == "function":
        conn = _connect(target, options)
    else:
        pool: Pool = request.getfixturevalue(f"_mcp_{scope}")
        conn = pool.get(target, options)
    request.node.stash.setdefault(_connections, []).append((conn, conn.tape.count if scope != "function" else 0))
    yield conn
    if scope == "function":
        _close(conn)


def _is_pair(given: Any) -> bool:
    return isinstance(given, tuple) and len(cast("tuple[Any, ...]", given)) == 2 and isinstance(given[1], dict)


@pytest.fixture
def mcp(request: pytest.FixtureRequest, _mcp_connection: Connection) -> Any:
    """An open connection: `labkit.session.connection.Connection`, in plain tests that of `lab.sync`."""
    function = getattr(request, "function", None)
    if inspect.iscoroutinefunction(function):
        return _mcp_connection
    from labkit.session import sync

    return sync.Connection(_mcp_connection)


@pytest.fixture
def mcp_tape(request: pytest.FixtureRequest, _mcp_connection: Connection) -> Tape:
    """The tape of the connection. With a shared one: `mcp_tape.since(mark)` has what came after `mcp_tape.count`."""
    return _mcp_connection.tape


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the frames of a failing test, and its server's stderr, into the report."""
    report = yield
    if report.failed and (found := item.stash.get(_connections, None)):
        for conn, mark in found:
            from labkit.wire.views import as_text

            report.sections.append(("MCP frames", as_text(conn.tape.since(mark), SHOWN)))
            if said := conn.stderr.tail(20):
                report.sections.append(("MCP server stderr", said))
    return report
