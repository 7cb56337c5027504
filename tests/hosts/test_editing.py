"""Servers are written into the hosts' own files and taken out: the rest stays, byte for byte, and a copy is kept."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from labkit.errors import HostConfigError
from labkit.hosts import HostEntry, read_host_file
from labkit.hosts.editing import KEPT, add, files, read_any, remove
from labkit.hosts.known import HOSTS, Host, System, find_host

FIXTURES = Path(__file__).parent / "fixtures"
FILES = {
    "claude-desktop": "claude_desktop_config.json",
    "claude-code": "claude.json",
    "cursor": "cursor.json",
    "vscode": "vscode.json",
    "zed": "zed.json",
    "generic": "generic.json",
}
LOCAL = HostEntry("weather2", command="/usr/bin/uvx", args=("weather", "--units=si"), env={"LEVEL": "info"})
FAR = HostEntry("far", url="https://example.com/mcp", headers={"X-Team": "a"}, type="http")


def fixture(host: str, folder: Path) -> Path:
    file = folder / FILES[host]
    file.write_bytes((FIXTURES / FILES[host]).read_bytes())
    return file


@pytest.mark.parametrize("host", FILES.values(), ids=FILES)
def test_every_documented_format_is_read(host: str) -> None:
    id = next(id for id, name in FILES.items() if name == host)
    found = read_host_file(FIXTURES / host, HOSTS[id].key)
    assert found.servers, "the file has servers, under the member that this host reads"
    assert all(isinstance(entry.get("command") or entry.get("url"), str) for entry in found.servers.values())


@pytest.mark.parametrize("id", FILES)
def test_added_and_removed_again_nothing_else_has_changed(id: str, tmp_path: Path) -> None:
    host, file = HOSTS[id], fixture(id, tmp_path)
    before = file.read_bytes()
    copy = add(file, LOCAL, host)
    assert copy and copy.read_bytes() == before
    found = read_host_file(file, host.key)
    assert found.servers["weather2"] == host.write(LOCAL)
    assert list(found.servers) == [*read_host_file(copy, host.key).servers, "weather2"]
    changed = file.read_bytes()
    if before.count(b"\n") > 1:  # a file of one line is changed in that line
        assert set(before.replace(b",", b"").splitlines()) <= set(changed.replace(b",", b"").splitlines())
    assert (b"\r\n" in changed) == (b"\r\n" in before)
    remove(file, "weather2", host)
    assert file.read_bytes() == before


@pytest.mark.parametrize("id", [id for id in FILES if HOSTS[id].remote])
def test_a_url_is_written_as_the_host_wants_it(id: str, tmp_path: Path) -> None:
    host, file = HOSTS[id], fixture(id, tmp_path)
    add(file, FAR, host)
    written = read_host_file(file, host.key).servers["far"]
    assert written["url"] == FAR.url and written["headers"] == {"X-Team": "a"}
    assert written.get("type") == ("http" if host.typed else None)


def test_a_host_that_reads_no_urls_says_where_they_go(tmp_path: Path) -> None:
    file = fixture("claude-desktop", tmp_path)
    before = file.read_bytes()
    with pytest.raises(HostConfigError, match="does not read URLs from its file"):
        add(file, FAR, HOSTS["claude-desktop"])
    assert file.read_bytes() == before and not list(tmp_path.glob("*.bak"))


def test_a_name_that_is_taken_is_replaced_only_when_asked(tmp_path: Path) -> None:
    file, host = fixture("cursor", tmp_path), HOSTS["cursor"]
    entry = HostEntry("notes", command="/bin/other")
    with pytest.raises(HostConfigError, match="has a server 'notes' already: say --replace"):
        add(file, entry, host)
    add(file, entry, host, replace=True)
    assert read_host_file(file, host.key).servers["notes"] == {"command": "/bin/other", "args": []}
    assert "// mine, not yours" in file.read_text(encoding="utf-8")


def test_inputs_that_vs_code_asks_for_are_declared_once(tmp_path: Path) -> None:
    file, host = fixture("vscode", tmp_path), HOSTS["vscode"]
    entry = HostEntry("t", command="x", env={"A": host.refer("NEW_KEY"), "B": "${input:perplexity-key}"})
    add(file, entry, host)
    add(file, HostEntry("u", command="x", env={"A": host.refer("NEW_KEY")}), host)
    inputs = read_host_file(file, host.key).whole["inputs"]
    assert [each["id"] for each in inputs] == ["perplexity-key", "NEW_KEY"]
    assert all(each["password"] for each in inputs)
    assert "// Asked for once" in file.read_text(encoding="utf-8")


def test_a_damaged_file_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    for text in ('{"mcpServers": {', '["mcpServers"]', '{"mcpServers": []}'):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(HostConfigError):
            add(file, LOCAL, HOSTS["cursor"])
        assert file.read_text(encoding="utf-8") == text
    assert [path.name for path in tmp_path.iterdir()] == ["mcp.json"]


def test_a_new_file_and_its_folders_are_made_and_an_empty_one_is_used(tmp_path: Path) -> None:
    for name in ("a/b/mcp.json", "empty.json"):
        file = tmp_path / name
        if name == "empty.json":
            file.write_bytes(b"")
        copy = add(file, LOCAL, HOSTS["cursor"])
        assert (copy is None) == (name != "empty.json")
        assert list(read_host_file(file).servers) == ["weather2"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes, and links need a right")
def test_rights_stay_and_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    file = fixture("generic", tmp_path / "real")
    file.chmod(0o640)
    link = tmp_path / "mcp.json"
    link.symlink_to(file)
    add(link, LOCAL, HOSTS["generic"])
    assert link.is_symlink() and stat.S_IMODE(file.stat().st_mode) == 0o640
    assert "weather2" in file.read_text(encoding="utf-8")


def test_only_the_last_copies_stay(tmp_path: Path) -> None:
    file = fixture("generic", tmp_path)
    for number in range(KEPT + 3):
        add(file, HostEntry(f"s{number}", command="x"), HOSTS["generic"])
    copies = sorted(tmp_path.glob("*.bak"))
    assert len(copies) == KEPT
    assert f"s{KEPT + 1}" in copies[-1].read_text(encoding="utf-8")


def test_what_is_not_there_cannot_be_removed(tmp_path: Path) -> None:
    with pytest.raises(HostConfigError, match="no server 'wether'. Did you mean 'weather'"):
        remove(fixture("generic", tmp_path), "wether", HOSTS["generic"])


def test_continue_has_a_file_for_each_server_and_yaml_is_read(tmp_path: Path) -> None:
    host, folder = HOSTS["continue"], tmp_path / ".continue"
    file = host.file("project", project=tmp_path, name="weather2")
    assert file == folder / "mcpServers" / "weather2.json"
    add(file, LOCAL, host)
    (folder / "config.yaml").write_bytes((FIXTURES / "continue.yaml").read_bytes())
    (folder / "mcpServers" / "other.yaml").write_text("mcpServers:\n  - name: o\n    command: x\n", encoding="utf-8")
    found = {name for _, path in files(host, tmp_path) for name in read_any(path, host).servers}
    assert found == {"weather2", "SQLite", "o"}
    remove(file, "weather2", host)
    assert not file.exists() and list(file.parent.glob("weather2.json.*.bak"))
    (folder / "config.yaml").write_text("mcpServers: [", encoding="utf-8")
    with pytest.raises(HostConfigError, match=r"config\.yaml cannot be read"):
        read_any(folder / "config.yaml", host)


WHERE: list[tuple[str, System, str]] = [
    ("claude-desktop", "macos", "/h/Library/Application Support/Claude/claude_desktop_config.json"),
    ("claude-desktop", "windows", "C:/Users/a/AppData/Roaming/Claude/claude_desktop_config.json"),
    ("claude-desktop", "linux", "/h/.config/Claude/claude_desktop_config.json"),
    ("claude-code", "linux", "/h/.claude.json"),
    ("cursor", "windows", "/h/.cursor/mcp.json"),
    ("vscode", "macos", "/h/Library/Application Support/Code/User/mcp.json"),
    ("vscode", "windows", "C:/Users/a/AppData/Roaming/Code/User/mcp.json"),
    ("vscode", "linux", "/h/.config/Code/User/mcp.json"),
    ("zed", "macos", "/h/.config/zed/settings.json"),
    ("zed", "windows", "C:/Users/a/AppData/Roaming/Zed/settings.json"),
    ("continue", "linux", "/h/.continue/mcpServers/n.json"),
]


@pytest.mark.parametrize(("id", "system", "expected"), WHERE)
def test_where_each_host_keeps_its_servers(id: str, system: System, expected: str) -> None:
    environ = {"APPDATA": "C:/Users/a/AppData/Roaming"} if system == "windows" else {}
    assert HOSTS[id].file(system=system, home=Path("/h"), environ=environ, name="n").as_posix() == expected


def test_where_each_host_keeps_those_of_a_project(tmp_path: Path) -> None:
    expected = {
        "claude-code": ".mcp.json",
        "cursor": ".cursor/mcp.json",
        "vscode": ".vscode/mcp.json",
        "zed": ".zed/settings.json",
        "continue": ".continue/mcpServers/n.json",
        "generic": "mcp.json",
    }
    for id, path in expected.items():
        assert HOSTS[id].file("project", project=tmp_path, name="n") == tmp_path / path
    with pytest.raises(HostConfigError, match="Claude Desktop has no file per project"):
        HOSTS["claude-desktop"].file("project")


def test_a_host_is_named_and_secrets_are_referred_to_as_it_does() -> None:
    with pytest.raises(HostConfigError, match="no host 'curser'. Did you mean 'cursor'"):
        find_host("curser")
    referred = {id: host.refer("KEY") for id, host in HOSTS.items() if host.reference}
    assert referred == {
        "claude-code": "${KEY}",
        "cursor": "${env:KEY}",
        "vscode": "${input:KEY}",
        "continue": "${{ secrets.KEY }}",
        "generic": "${KEY}",
    }
    host: Host
    for host in (HOSTS["claude-desktop"], HOSTS["zed"]):
        with pytest.raises(HostConfigError, match="--env KEY_FILE=PATH"):
            host.refer("KEY")
