"""The chain shows every change at its place, and a crash is no change."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.catalog import LAB_ROOT
from labkit.patterns.ledger import Head, Ledger, LedgerError, files_of, link, parsed
from labkit.patterns.ledger_reading import search, verify

KEY = b"a key that is kept elsewhere"


def filled(folder: Path, count: int = 10, **options: Any) -> Path:
    with Ledger(folder, **options) as ledger:
        for n in range(count):
            ledger.append({"who": "ada" if n % 2 else "bob", "value": n})
    return folder


def lines_of(folder: Path) -> list[bytes]:
    return files_of(folder)[0].read_bytes().splitlines(keepends=True)


def put(folder: Path, lines: list[bytes]) -> None:
    files_of(folder)[0].write_bytes(b"".join(lines))


def test_what_was_written_is_whole_and_is_found(tmp_path: Path) -> None:
    filled(tmp_path)
    verdict = verify(tmp_path)
    assert verdict.ok and verdict.records == 11 and not verdict.torn  # ten, and the line that begins the file
    assert [each["value"] for each in search(tmp_path, who="ada")] == [1, 3, 5, 7, 9]
    assert [each["value"] for each in search(tmp_path, text='"value":7')] == [7]
    assert [each["value"] for each in search(tmp_path, limit=2)] == [0, 1]
    assert str(verdict) == "whole: 11 records, 1 to 11"


CHANGES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int, str]] = {
    "edited": (lambda ls: [*ls[:4], ls[4].replace(b"bob", b"eve").replace(b"ada", b"eve"), *ls[5:]], 5, "changed"),
    "removed": (lambda ls: ls[:4] + ls[5:], 5, "removed"),
    "doubled": (lambda ls: [*ls[:5], ls[4], *ls[5:]], 6, "removed, added"),
    "swapped": (lambda ls: [*ls[:4], ls[5], ls[4], *ls[6:]], 5, "removed, added or moved"),
    "added": (lambda ls: [*ls[:4], b'{"n":5,"who":"eve"}\n', *ls[4:]], 5, "no record tells"),
    "garbage": (lambda ls: [*ls[:4], b"garbage\n", *ls[5:]], 5, "removed"),
    "headless": (lambda ls: ls[1:], 1, "does not begin"),
}


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("name", CHANGES)
def test_the_first_line_that_does_not_fit_is_named(tmp_path: Path, name: str, key: bytes | None) -> None:
    change, line, reason = CHANGES[name]
    put(filled(tmp_path, key=key), change(lines_of(tmp_path)))
    verdict = verify(tmp_path, key=key)
    at = (
        line + 1 if name == "garbage" else line
    )  # the next line says what is missing; the garbage itself may be a crash
    assert not verdict.ok and verdict.line in (line, at) and reason in verdict.reason, verdict
    assert verdict.file == "ledger-00000001.jsonl" and f"line {verdict.line}" in str(verdict)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_byte_can_be_changed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = filled(tmp_path_factory.mktemp("ledger"), 5)
    file = files_of(folder)[0]
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 2))
    content[place] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    verdict = verify(folder)
    # Half a line at the end is a crash to anyone who does not know how far the ledger had come: the head tells.
    if verdict.ok:
        assert verdict.torn
    assert not verify(folder, head=Head(6, "")).ok
    assert verdict.records <= content[:place].count(b"\n")


def test_a_new_chain_fits_without_a_key_and_not_with_one(tmp_path: Path) -> None:
    def forge(folder: Path) -> None:
        lines, chain, out = lines_of(folder), "0" * 64, []
        for line in lines:
            record = parsed(line.rstrip(b"\n"))
            assert record
            del record["chain"]
            if record.get("value") == 3:
                record["value"] = 300
            body = json.dumps(record, separators=(",", ":")).encode()[:-1]
            chain = link(chain, body)
            out.append(body + b',"chain":"' + chain.encode() + b'"}\n')
        put(folder, out)

    plain, keyed = filled(tmp_path / "plain"), filled(tmp_path / "keyed", key=KEY)
    kept = verify(plain).head
    forge(plain)
    forge(keyed)
    assert verify(plain).ok, "what the chain alone cannot show"
    assert "made anew" in verify(plain, head=kept).reason
    broken = verify(keyed, key=KEY)
    assert not broken.ok and broken.line == 1 and "key" in broken.reason


def test_an_end_that_was_cut_off_shows_against_a_kept_head(tmp_path: Path) -> None:
    filled(tmp_path)
    head = verify(tmp_path).head
    put(tmp_path, lines_of(tmp_path)[:-2])
    assert verify(tmp_path).ok
    verdict = verify(tmp_path, head=head)
    assert not verdict.ok and "its end is cut off" in verdict.reason
    assert verify(filled(tmp_path, 2), head=(3, lines_of(tmp_path)[2][-67:-3].decode())).ok


@pytest.mark.parametrize("left", [1, 10, 60, -2, -1])
def test_a_torn_last_line_is_no_tampering_and_the_chain_goes_on(tmp_path: Path, left: int) -> None:
    *lines, last = lines_of(filled(tmp_path))
    put(tmp_path, [*lines, last[:left]])
    torn = verify(tmp_path)
    assert torn.ok and torn.torn and torn.records == 10 and "half a line" in str(torn)
    filled(tmp_path, 2)
    mended = verify(tmp_path)
    assert mended.ok and not mended.torn, mended
    values = [each["value"] for each in search(tmp_path)]
    # All but the end of line was written: nothing is lost. Otherwise the torn record is, and that is recorded.
    assert values == [*range(10 if left == -1 else 9), 0, 1]
    assert (b'"event":"torn"' in b"".join(lines_of(tmp_path))) == (left != -1)
    assert last[:left] in b"".join(lines_of(tmp_path)), "nothing is taken away"


def test_torn_again_while_mending(tmp_path: Path) -> None:
    *lines, last = lines_of(filled(tmp_path))
    put(tmp_path, [*lines, last[:20] + b"\n", b'{"n":11,"event":"to'])
    filled(tmp_path, 1)
    assert verify(tmp_path).ok, verify(tmp_path)
    forged = b"".join(lines_of(tmp_path)).replace(last[:20] + b"\n", b"something else\n")
    put(tmp_path, [forged])
    assert "no record tells" in verify(tmp_path).reason


@pytest.mark.parametrize("content", [b"", b'{"n":1,"ev'])
def test_a_file_that_was_only_begun_is_begun_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger-00000001.jsonl").write_bytes(content)
    assert verify(filled(tmp_path, 3)).records == 4


def test_files_are_rotated_and_the_chain_goes_through_all(tmp_path: Path) -> None:
    filled(tmp_path, 60, max_bytes=1000)
    assert len(files_of(tmp_path)) > 5 and verify(tmp_path).ok
    assert [each["value"] for each in search(tmp_path)] == list(range(60))
    assert max(file.stat().st_size for file in files_of(tmp_path)) < 1300
    files_of(tmp_path)[2].unlink()
    verdict = verify(tmp_path)
    assert not verdict.ok and verdict.file == "ledger-00000004.jsonl" and verdict.line == 1


def test_the_end_of_an_old_file_cannot_be_cut_off(tmp_path: Path) -> None:
    filled(tmp_path, 30, max_bytes=1000)
    put(tmp_path, lines_of(tmp_path)[:-1])
    verdict = verify(tmp_path)
    assert not verdict.ok and verdict.file == "ledger-00000002.jsonl" and "missing" in verdict.reason


def test_half_a_line_at_the_end_of_an_old_file_is_no_crash(tmp_path: Path) -> None:
    filled(tmp_path, 30, max_bytes=1000)
    *lines, last = lines_of(tmp_path)
    put(tmp_path, [*lines, last[:20]])
    verdict = verify(tmp_path)
    assert (verdict.file, verdict.line) == ("ledger-00000001.jsonl", len(lines) + 1) and "half a line" in verdict.reason


def test_only_the_newest_files_are_kept_and_they_verify_alone(tmp_path: Path) -> None:
    filled(tmp_path, 60, max_bytes=1000, keep=3)
    verdict = verify(tmp_path)
    assert len(files_of(tmp_path)) == 3 and verdict.ok and verdict.starts_at > 20


def test_one_writer_at_a_time_also_across_processes(tmp_path: Path) -> None:
    script = (
        "import sys; from labkit.patterns.ledger import Ledger\n"
        "ledger = Ledger(sys.argv[1]); ledger.append({'value': 0}); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=LAB_ROOT,
        text=True,
    ) as other:
        assert other.stdout and other.stdout.readline() == "open\n"
        with pytest.raises(LedgerError, match="Somebody else writes"):
            Ledger(tmp_path)
        other.kill()
    with Ledger(tmp_path) as ledger:
        ledger.append({"value": 1})
        with pytest.raises(LedgerError):
            Ledger(tmp_path)
    assert [each["value"] for each in search(tmp_path)] == [0, 1] and verify(tmp_path).ok


def test_a_write_that_fails_half_way_is_mended_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    write = os.write
    with Ledger(tmp_path) as ledger:
        ledger.append({"value": 0})
        monkeypatch.setattr("labkit.patterns.ledger.os.write", lambda fd, data: write(fd, data[:30]))
        with pytest.raises(OSError, match="only 30 of"):
            ledger.append({"value": 1})
        monkeypatch.undo()
        ledger.append({"value": 2})
    assert verify(tmp_path).ok and [each["value"] for each in search(tmp_path)] == [0, 2]


def test_a_closed_ledger_says_so(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.close()
    ledger.close()
    with pytest.raises(ValueError, match="closed"):
        ledger.append({})


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        Ledger(tmp_path / "new", key=b"")
    assert not (tmp_path / "new").exists()


def test_what_is_not_json_is_written_as_text(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append({"value": [float("nan"), float("inf")]})
    assert verify(tmp_path).ok and next(search(tmp_path))["value"] == ["NaN", "Infinity"]


def test_what_is_no_ledger_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "ledger-00000001.jsonl"
    file.write_bytes(b"something\nelse\n")
    with pytest.raises(LedgerError, match="Move .* away"):
        Ledger(tmp_path)
    assert file.read_bytes() == b"something\nelse\n" and not verify(tmp_path).ok


def test_half_a_surrogate_pair_is_written_too(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append({"value": "\ud800"})
    assert verify(tmp_path).ok and next(search(tmp_path))["value"] == "\ud800"
