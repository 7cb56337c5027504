"""Tapes: the ring, the pairing of answers with requests, files, and the views."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from labkit.errors import LabError
from labkit.wire import Tape


def request(tape: Tape, id: int | str, method: str, **params: object) -> None:
    tape.record("sent", json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))


def answer(tape: Tape, id: int | str, **body: object) -> None:
    tape.record("received", json.dumps({"jsonrpc": "2.0", "id": id, **(body or {"result": {}})}))


@pytest.fixture
def tape() -> Tape:
    tape = Tape("calculator", transport="stdio", era="2026-07-28")
    request(tape, 1, "tools/list")
    request(tape, "1", "tools/call", name="add")
    answer(tape, "1")
    answer(tape, 1, error={"code": -32601, "message": "no"})
    return tape


def test_answers_find_their_requests_by_id_and_type_of_id(tape: Tape) -> None:
    listing, call, called, listed = tape
    assert called.request is call and listed.request is listing
    assert called.latency == called.at - call.at == call.latency
    assert listed.label == "error -32601 tools/list"


def test_both_sides_may_use_the_same_id(tape: Tape) -> None:
    tape.record("received", '{"jsonrpc":"2.0","id":5,"method":"elicitation/create","params":{}}')
    request(tape, 5, "tools/call", name="ask")
    tape.record("sent", '{"jsonrpc":"2.0","id":5,"result":{"action":"accept"}}')
    assert tape[-1].method == "elicitation/create"


def test_an_unanswered_request_has_no_latency() -> None:
    tape = Tape()
    request(tape, 1, "tools/call")
    assert tape[0].latency is None


def test_the_ring_drops_the_oldest_frames_and_counts_them() -> None:
    tape = Tape(max_frames=3)
    for number in range(10):
        request(tape, number, "ping")
    assert [f.id for f in tape] == [7, 8, 9]
    assert (len(tape), tape.dropped, tape.count) == (3, 7, 10)
    assert "7 older frames dropped" in repr(tape) and "7 older frames dropped" in tape.html()


def test_the_ring_is_bounded_in_bytes_too() -> None:
    tape = Tape(max_bytes=1000)
    for _ in range(10):
        tape.record("received", "x" * 300)
    assert sum(f.size for f in tape) <= 1000 and tape.dropped == 7


def test_one_frame_larger_than_the_ring_is_cut_and_says_so() -> None:
    tape = Tape(max_bytes=1000)
    tape.record("received", "y" * 5000)
    assert tape[0].size == 1000 and "5,000 characters" in tape[0].note


def test_pairing_goes_on_when_the_request_has_left_the_ring() -> None:
    tape = Tape(max_frames=2)
    request(tape, 1, "tools/call", name="slow")
    assert len(tape.frames) == 1
    request(tape, 2, "ping")
    request(tape, 3, "ping")
    answer(tape, 1)
    assert tape[-1].method == "tools/call"


def test_recording_from_many_threads_loses_nothing() -> None:
    tape = Tape()
    threads = [threading.Thread(target=lambda: [request(tape, 1, "ping") for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [f.n for f in tape] == list(range(1, 4001))


def test_a_failing_listener_is_removed_and_recording_goes_on() -> None:
    tape, seen = Tape(), []
    tape.listeners += [lambda frame: 1 / 0, seen.append]
    request(tape, 1, "ping")
    request(tape, 2, "ping")
    assert len(seen) == 2 and len(tape.listeners) == 1


def test_filter_and_since(tape: Tape) -> None:
    assert [f.id for f in tape.filter("tools/call")] == ["1", "1"]
    assert [f.n for f in tape.filter(direction="received", kind="error")] == [4]
    mark = tape.count
    request(tape, 9, "ping")
    assert [f.method for f in tape.since(mark)] == ["ping"]


def test_save_and_load_give_the_same_tape(tape: Tape, tmp_path: Path) -> None:
    tape.record("received", "stray line é \udcff")
    path = tape.save(tmp_path / "deep" / "calls.jsonl")
    again = Tape.load(path)
    assert [f.to_json() for f in again] == [f.to_json() for f in tape]
    assert (again.title, again.transport, again.era, again.started) == (tape.title, "stdio", tape.era, tape.started)
    assert again[2].request is not None and again.count == tape.count
    assert list(path.parent.iterdir()) == [path], "no half-written file stays"


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 1), ('{"tape": 99}', 1), ('{"tape": 1, "started": "2026-01-01"}\n{"n": 1}', 2), ("no json", 1), ("[]", 1)],
)
def test_a_file_that_is_no_tape_is_refused_by_line(text: str, line: int, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match=f"line {line} is not part of a tape"):
        Tape.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="gone.jsonl"):
        Tape.load(tmp_path / "gone.jsonl")


def test_table_keeps_ids_as_they_are(tape: Tape) -> None:
    table = tape.table()
    assert list(table["id"]) == [1, "1", "1", 1]
    assert list(table["method"]) == ["tools/list", "tools/call", "tools/call", "tools/list"]
    assert table.loc[3, "latency_ms"] >= 0 and table["latency_ms"].isna().sum() == 0
    assert Tape().table().empty


def test_diagram_is_mermaid_and_survives_its_special_characters() -> None:
    tape = Tape("notes; #1")
    request(tape, 1, "tools/call", name="a;b #c")
    answer(tape, 1, error={"code": 1, "message": "x"})
    lines = str(tape.diagram()).splitlines()
    assert lines[0] == "sequenceDiagram"
    assert lines[2] == "    participant S as notes#59; #35;1"
    assert lines[3] == "    C->>S: tools/call a#59;b #35;c (1)"
    assert lines[4].startswith("    S--xC: error 1")
    bundle = tape.diagram()._repr_mimebundle_()
    assert set(bundle) == {"text/vnd.mermaid", "image/svg+xml", "text/plain"}
    from xml.etree import ElementTree

    words = [e.text for e in ElementTree.fromstring(bundle["image/svg+xml"]).iter() if e.tag.endswith("text")]
    assert words == ["client", "notes; #1", "tools/call a;b #c (1)", "error 1 tools/call a;b #c (1)"]


def test_timeline_escapes_what_servers_send_and_needs_no_script(tape: Tape) -> None:
    tape.record("received", '{"id": 3, "result": "<script>alert(1)</script>"}')
    tape.record("received", "<img src=x onerror=alert(1)>", note="<b>")
    page = tape.html()
    assert "<script" not in page and "<img" not in page and "&lt;script&gt;" in page
    assert page.count("<details") == 6 and "tools/call add" in page
    assert "#fff" not in page and "black" not in page, "colours must be translucent or inherited"


def test_timeline_shows_the_last_frames_and_says_how_many_came_before() -> None:
    tape = Tape()
    for number in range(30):
        request(tape, number, "ping")
    page = tape.html(limit=10)
    assert page.count("<details") == 10 and "20 earlier frames" in page


def test_diff_aligns_what_both_did(tape: Tape) -> None:
    old = Tape("calculator", transport="stdio", era="2025-11-25")
    request(old, 1, "initialize")
    answer(old, 1)
    request(old, 2, "tools/list")
    request(old, 3, "tools/call", name="add")
    answer(old, 3)
    diff = old.diff(tape)
    both = [(a.method, b.method) for a, b in diff.pairs if a and b]
    assert both == [("tools/list", "tools/list"), ("tools/call", "tools/call"), ("tools/call", "tools/call")]
    assert [f.method for f in diff.only_left] == ["initialize", "initialize"]
    assert [f.kind for f in diff.only_right] == ["error"]
    assert "only here" in diff._repr_html_() and "3 frames in both" in repr(diff)
    assert list(diff.table()["both"]).count(True) == 3


def test_a_tape_of_equivalent_frames_says_so() -> None:
    tape = Tape("m", transport="memory")
    tape.record("sent", "{}", framed=False)
    assert "no JSON on this wire" in tape.html() and "no JSON on this wire" in repr(tape)


@pytest.mark.parametrize(
    "text",
    [
        '{"jsonrpc": "2.0", "id": 1, "error": "boom"}',
        '{"jsonrpc": "2.0", "id": {"a": []}, "error": [1]}',
        '{"id": 1, "method": 3, "params": [1]}',
        '{"id": 1, "result": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"id": 1, "result": ' + "[" * 900 + "]" * 900 + "}",
        '{"id": 1, "result": {"half": "\\ud800"}}',
        "\ud800",
    ],
    ids=["error-is-text", "error-is-list", "method-is-number", "abyss", "deep", "half-surrogate", "half-surrogate-raw"],
)
def test_every_view_stands_whatever_a_server_sends(text: str, tmp_path: Path) -> None:
    tape = Tape("hostile")
    tape.record("received", text)
    diff = tape.diff(tape)
    pages = [tape.html(), repr(tape), str(tape.diagram()), tape.diagram().svg, diff._repr_html_(), repr(diff)]
    for page in pages:
        page.encode("utf-8")  # a kernel sends it as UTF-8
    assert len(tape.table()) == 1
    assert Tape.load(tape.save(tmp_path / "hostile.jsonl"))[0].text == text


def test_diff_of_full_tapes_is_quick_and_its_page_small() -> None:
    def busy(every: int) -> Tape:
        tape = Tape()
        for number in range(2_000):
            request(tape, number, "tools/call", name="add" if number % every else "other")
            answer(tape, number)
        return tape

    began = time.process_time()
    diff = busy(5).diff(busy(7))
    assert time.process_time() - began < 5, "difflib took minutes"
    assert len(diff.pairs) >= 4_000
    assert "more pairs" in repr(diff) and "more pairs" in diff._repr_html_()
    assert len(diff._repr_html_()) < 1_000_000


def test_diff_finds_a_longest_common_part() -> None:
    def tape_of(letters: str) -> Tape:
        tape = Tape()
        for letter in letters:
            tape.record("sent", json.dumps({"jsonrpc": "2.0", "method": letter}))
        return tape

    def both(left: str, right: str) -> str:
        return "".join(a.method for a, b in tape_of(left).diff(tape_of(right)).pairs if a and b)

    assert both("abcbdab", "bdcaba") in ("bcba", "bdab", "bcab")
    assert both("", "abc") == both("abc", "") == both("abc", "xyz") == ""
    assert both("xay", "aaa") == "a"
    pairs = tape_of("axb").diff(tape_of("ayb")).pairs
    assert ["".join(f.method if f else "-" for f in pair) for pair in pairs] == ["aa", "x-", "-y", "bb"]


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"tape": 1}\n', b'{"tape": 1, "started": "today"}\n'])
def test_a_file_that_is_no_tape_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.bin"
    path.write_bytes(content)
    with pytest.raises(LabError, match=r"other\.bin"):
        Tape.load(path)
