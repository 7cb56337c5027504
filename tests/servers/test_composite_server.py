"""The composite server: its small tools, pipelines made of them, research, and the places it fetches from."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from mcp import Client

from servers.composite import library, tables
from servers.composite.fetching import Fetcher, FetchError

from .conftest import call, refusal

pytestmark = [pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

CSV = """month,region,units,code
2026-01,north,3,007
2026-01,south,,008
2026-02,north,5,009
2026-02,south,2,010
"""
SALES = [
    {"month": "2026-01", "region": "north", "units": 3, "code": "007"},
    {"month": "2026-01", "region": "south", "units": None, "code": "008"},
    {"month": "2026-02", "region": "north", "units": 5, "code": "009"},
    {"month": "2026-02", "region": "south", "units": 2, "code": "010"},
]


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A service on loopback that behaves in several ways."""

    def do_GET(self) -> None:
        answers: dict[str, tuple[int, bytes]] = {
            "/good": (200, b'{"a": 1}'),
            "/page": (200, b"<html>"),
            "/nan": (200, b"NaN"),
            "/large": (200, b"[" + b"1," * 1_200_000 + b"1]"),
        }
        status, body = answers.get(self.path, (404, b"{}"))
        if self.path == "/redirect":
            status, body = 302, b""
        self.send_response(status)
        if status == 302:
            self.send_header("location", "/good")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with suppress(OSError):  # whoever asked may have had enough
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=service.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{service.server_port}"
    finally:
        service.shutdown()
        thread.join()
        service.server_close()


@pytest.fixture(scope="module")
async def tools(connect: Any, near: tuple[str, str], elsewhere: str) -> AsyncIterator[Client]:
    async with connect("composite", near, {"COMPOSITE_ORIGINS": elsewhere}) as client:
        yield client


@pytest.mark.anyio
async def test_the_contract(tools: Client, contract: Any) -> None:
    await contract(tools, "composite")


@pytest.mark.anyio
async def test_csv_becomes_rows_with_numbers_and_nulls(tools: Client) -> None:
    assert await call(tools, "parse_csv", text=CSV) == {"rows": SALES, "count": 4}
    quoted = await call(tools, "parse_csv", text='"a, b";"line 1\nline 2"\n', header=False, delimiter=";")
    assert quoted["rows"] == [{"column1": "a, b", "column2": "line 1\nline 2"}]
    assert (await call(tools, "parse_csv", text="x\n1\n", numbers=False))["rows"] == [{"x": "1"}]
    assert (await call(tools, "parse_csv", text=""))["rows"] == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("column", "operator", "value", "codes"),
    [
        ("units", "gt", 2, ["007", "009"]),
        ("units", "gte", 2, ["007", "009", "010"]),
        ("units", "lt", 3, ["010"]),
        ("units", "lte", 3, ["007", "010"]),
        ("region", "eq", "south", ["008", "010"]),
        ("region", "ne", "south", ["007", "009"]),
        ("units", "eq", "3", []),
        ("code", "contains", "00", ["007", "008", "009"]),
        ("code", "in", ["007", "010"], ["007", "010"]),
        ("units", "missing", None, ["008"]),
        ("units", "present", None, ["007", "009", "010"]),
    ],
)
async def test_rows_are_filtered(tools: Client, column: str, operator: str, value: Any, codes: list[str]) -> None:
    found = await call(tools, "filter_rows", rows=SALES, column=column, operator=operator, value=value)
    assert [row["code"] for row in found["rows"]] == codes
    assert all(row in SALES for row in found["rows"])


@pytest.mark.anyio
async def test_rows_are_mapped_and_aggregated(tools: Client) -> None:
    mapped = await call(tools, "map_rows", rows=SALES, rename={"units": "n"}, keep=["n", "region"])
    assert mapped["rows"][0] == {"n": 3, "region": "north"} and list(mapped["rows"][0]) == ["n", "region"]
    measures = [{"column": "units", "function": f} for f in ("sum", "mean", "count", "max")]
    by_region = await call(tools, "aggregate", rows=SALES, by=["region"], measures=measures)
    assert by_region["rows"] == [
        {"region": "north", "units_sum": 8, "units_mean": 4, "units_count": 2, "units_max": 5},
        {"region": "south", "units_sum": 2, "units_mean": 2, "units_count": 1, "units_max": 2},
    ]
    whole = await call(tools, "aggregate", rows=SALES, by=[], measures=[{"column": "region", "function": "distinct"}])
    assert whole["rows"] == [{"region_distinct": 2}]


@pytest.mark.anyio
async def test_columns_are_analysed_and_summarised(tools: Client) -> None:
    columns = (await call(tools, "analyse", rows=[*SALES, {"units": "many"}]))["columns"]
    assert columns[2] == {
        "column": "units", "kinds": ["number", "text"], "missing": 1, "distinct": 4, "examples": ["3", "5", "2"],
    }  # fmt: skip
    summary = (await call(tools, "summarise", rows=SALES))["columns"]
    assert summary == [
        {"column": "units", "count": 3, "mean": pytest.approx(10 / 3), "std": pytest.approx(1.5275252316519468),
         "min": 2, "q1": 2.5, "median": 3, "q3": 4, "max": 5},
    ]  # fmt: skip
    assert (await call(tools, "summarise", rows=[{"x": 1}]))["columns"][0]["std"] is None


PIPELINE = [
    {"tool": "parse_csv", "args": {"text": CSV}, "save_as": "sales"},
    {"tool": "filter_rows", "args": {"rows": "$sales.rows", "column": "units", "operator": "present"}},
    {
        "tool": "aggregate",
        "args": {"rows": "$step2.rows", "by": ["region"], "measures": [{"column": "units", "function": "sum"}]},
    },
]


@pytest.mark.anyio
async def test_a_pipeline_passes_answers_on_and_reports_each_step(tools: Client) -> None:
    told: list[Any] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))

    assert await call(tools, "check_pipeline", steps=PIPELINE) == {"steps": 3, "saved_as": ["sales", "step2", "step3"]}
    result = await tools.call_tool("run_pipeline", {"steps": PIPELINE}, progress_callback=on_progress)
    outcome: Any = result.structured_content
    assert [(step["saved_as"], step["rows"]) for step in outcome["steps"]] == [("sales", 4), ("step2", 3), ("step3", 2)]
    assert outcome["result"]["rows"] == [{"region": "north", "units_sum": 8}, {"region": "south", "units_sum": 2}]
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.anyio
async def test_references_reach_into_answers_and_dollars_can_be_meant(tools: Client) -> None:
    outcome = await call(tools, "run_pipeline", steps=[
        {"tool": "fetch_json", "args": {"url": "upstream:/alerts/active?area=CA"}, "save_as": "alerts"},
        {"tool": "map_rows", "args": {"rows": ["$alerts.data.features.0.properties"], "keep": ["event", "severity"]}},
    ])  # fmt: skip
    assert outcome["result"]["count"] == 1 and outcome["result"]["rows"][0]["event"]
    outcome = await call(tools, "run_pipeline", steps=[
        {"tool": "parse_csv", "args": {"text": "price\n$5\n6\n"}, "save_as": "p"},
        {"tool": "filter_rows", "args": {"rows": "$p.rows", "column": "price", "operator": "eq", "value": "$$5"}},
    ])  # fmt: skip
    assert outcome["result"]["rows"] == [{"price": "$5"}]


def step(tool: str, save_as: str = "", **args: Any) -> dict[str, Any]:
    return {"tool": tool, "args": args, "save_as": save_as}


INGREDIENTS = "fetch_json, parse_csv, filter_rows, map_rows, aggregate, analyse, summarise, search_articles, read_article, summarise_text"
WRONG: list[tuple[list[dict[str, Any]], str]] = [
    ([], "a pipeline has 1 to 20 steps, not 0"),
    ([step("search_articles", query="x")] * 21, "a pipeline has 1 to 20 steps, not 21"),
    ([step("run_pipeline", steps=[])], f"step 1 (run_pipeline) is no tool for pipelines: there are {INGREDIENTS}"),
    ([step("parse_csv", txt="x")], "step 1 (parse_csv) takes no argument 'txt': it takes text, header, delimiter, numbers; step 1 (parse_csv) needs the argument 'text'"),
    ([step("parse_csv", text=["x"])], "step 1 (parse_csv) cannot take text = ['x']: Input should be a valid string"),
    ([step("parse_csv", text="x", delimiter="::")], "step 1 (parse_csv) cannot take delimiter = '::': String should have at most 1 character"),
    ([step("analyse", rows="$sales.rows"), step("parse_csv", "sales", text="x")], "step 1 (analyse) refers to '$sales.rows', and no earlier step is saved so: it is the first step"),
    ([step("analyse", "me", rows="$me.rows")], "step 1 (analyse) refers to '$me.rows', and no earlier step is saved so: it is the first step"),
    ([step("parse_csv", "a", text="x"), step("analyse", rows="$a.lines")], "step 2 (analyse) refers to '$a.lines', but parse_csv answers count, rows"),
    ([step("parse_csv", "a", text="x"), step("parse_csv", "a", text="x")], "step 2 (parse_csv) is saved as 'a', like an earlier step: choose another name"),
    ([step("parse_csv", "a.b", text="x")], "step 1 (parse_csv) cannot be saved as 'a.b': use a letter, then letters, digits and _"),
]  # fmt: skip


@pytest.mark.anyio
async def test_a_wrong_pipeline_is_refused_before_it_starts(tools: Client) -> None:
    for tool in ("check_pipeline", "run_pipeline"):
        assert [await refusal(tools, tool, steps=steps) for steps, _ in WRONG] == [message for _, message in WRONG]


@pytest.mark.anyio
async def test_a_pipeline_that_stops_names_the_step(tools: Client) -> None:
    async def said(*steps: dict[str, Any]) -> str:
        return await refusal(tools, "run_pipeline", steps=[step("parse_csv", "a", text=CSV), *steps])

    assert await said(step("summarise", rows="$a.rows", columns=["region"])) == (
        "step 2 (summarise) has stopped: column 'region' does not hold numbers only, which a summary needs: filter or map it first"
    )
    assert await said(step("analyse", rows="$a.rows.9")) == (
        "step 2 (analyse) has stopped: '$a.rows.9' has no part '9': there is list"
    )
    assert "step 2 (analyse) has stopped" in (wrong_kind := await said(step("analyse", rows="$a.count")))
    assert "Input should be a valid list" in wrong_kind


NO_COLUMN = "there is no column 'x': there are month, region, units, code"
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("parse_csv", {"text": "a,b\n1\n"}, "row 2 has 1 fields, the first has 2: is the delimiter right?"),
    ("parse_csv", {"text": "a,a\n1,2\n"}, "the first line names columns twice or not at all: a, a. Pass header=false?"),
    ("parse_csv", {"text": 'a\n"x'}, "this is no CSV: unexpected end of data. Fields that hold quotes must double them"),
    ("parse_csv", {"text": "a\n" + "1\n" * 20_001}, "there are 20001 rows, more than 20000: take fewer from where they come from"),
    ("filter_rows", {"column": "x", "operator": "eq", "value": 1}, NO_COLUMN),
    ("filter_rows", {"column": "region", "operator": "gt", "value": 1}, "column 'region' holds text, which 1 cannot be compared with"),
    ("filter_rows", {"column": "units", "operator": "lt", "value": [1]}, "column 'units' holds number, which [1] cannot be compared with"),
    ("filter_rows", {"column": "code", "operator": "in", "value": "007"}, "in needs a list of values, not '007'"),
    ("filter_rows", {"rows": [], "column": "x", "operator": "eq", "value": 1}, "there is no column 'x': there are none, as there are no rows"),
    ("map_rows", {"rename": {"x": "y"}}, NO_COLUMN),
    ("map_rows", {"rename": {"units": "code"}}, "two columns would have the same name: month, region, code, code"),
    ("map_rows", {"keep": ["x"]}, "there is no column 'x' to keep: there are month, region, units, code"),
    ("aggregate", {"by": ["x"], "measures": [{"column": "units", "function": "sum"}]}, NO_COLUMN),
    ("aggregate", {"by": [], "measures": [{"column": "region", "function": "mean"}]}, "column 'region' does not hold numbers only, which mean needs: filter or map it first"),
    ("summarise", {"columns": ["x"]}, NO_COLUMN),
    ("read_article", {"name": "nope"}, f"there is no article 'nope': there are {', '.join(library.ARTICLES)}"),
    ("research_topic", {"topic": "zebras"}, f"the library has nothing on 'zebras': it has articles on {', '.join(library.ARTICLES)}"),
]  # fmt: skip


@pytest.mark.anyio
async def test_bad_input_gets_its_message(tools: Client) -> None:
    with_rows = ("filter_rows", "map_rows", "aggregate", "summarise")
    said = [
        await refusal(tools, tool, **(({"rows": SALES} if tool in with_rows else {}) | wrong)) for tool, wrong, _ in BAD
    ]
    assert said == [message for _, _, message in BAD]
    for tool, arguments, named in [
        ("aggregate", {"rows": SALES, "by": [], "measures": []}, "measures\n  List should have at least 1 item"),
        ("filter_rows", {"rows": SALES, "column": "x", "operator": "like"}, "operator\n  Input should be 'eq', 'ne'"),
        ("analyse", {"rows": "x"}, "rows\n  Input should be a valid list"),
        ("research_topic", {"topic": ""}, "topic\n  String should have at least 1 character"),
    ]:  # fmt: skip
        assert named in await refusal(tools, tool, **arguments)  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_research_uses_the_tools_and_names_its_sources(tools: Client) -> None:
    topic = "retries and caches"
    found = await call(tools, "research_topic", topic=topic, articles=2)
    assert found["sources"] == (await call(tools, "search_articles", query=topic, limit=2))["names"]
    assert set(found["sources"]) == {"retries", "caching"} and len(found["key_points"]) == 4
    texts = [(await call(tools, "read_article", name=name))["text"] for name in found["sources"]]
    assert all(any(point in text for text in texts) for point in found["key_points"])
    assert (
        found["report"].startswith("# retries and caches\n\n- ")
        and "- Trying again without making it worse (retries)" in found["report"]
    )


@pytest.mark.anyio
async def test_json_is_fetched_from_allowed_places_only(tools: Client, elsewhere: str) -> None:
    assert (await call(tools, "fetch_json", url=f"{elsewhere}/good"))["data"] == {"a": 1}
    assert (await call(tools, "fetch_json", url="upstream:/alerts/active?area=HI"))["data"]["features"] == []
    port = elsewhere.rpartition(":")[2]
    for url in [
        "http://169.254.169.254/latest/meta-data", "https://example.com/", "file:///etc/passwd", "upstream:evil", "",
        f"https://127.0.0.1:{port}/good", f"http://localhost:{port}/good", f"http://127.1:{port}/good",
        f"http://127.0.0.1:{port}@evil.example/", f"http://evil.example\\@127.0.0.1:{port}/good",
        f"http://user:password@127.0.0.1:{port}/good", "http://127.0.0.1:1/good", f"http://127.0.0.1:{port}.evil.example/",
        f"http://2130706433:{port}/good", "http://[::1/", f"{elsewhere}1/good",
    ]:  # fmt: skip
        assert await refusal(tools, "fetch_json", url=url) == (
            f"{url!r} is not among the places to fetch from: use upstream:/PATH or {elsewhere}/PATH"
        )


@pytest.mark.anyio
async def test_what_goes_wrong_while_fetching_is_told(tools: Client, elsewhere: str) -> None:
    assert (
        await refusal(tools, "fetch_json", url=f"{elsewhere}/redirect")
        == f"{elsewhere}/redirect answered 302: is the path right?"
    )
    assert (
        await refusal(tools, "fetch_json", url=f"{elsewhere}/nope")
        == f"{elsewhere}/nope answered 404: is the path right?"
    )
    for path in ("page", "nan"):
        assert "did not answer with JSON" in await refusal(tools, "fetch_json", url=f"{elsewhere}/{path}")
    assert "answers with more than 2000000 bytes" in await refusal(tools, "fetch_json", url=f"{elsewhere}/large")


@pytest.mark.parametrize(
    "origin", ["http://example.com", "http://localhost:80", "http://10.0.0.1:80", "http://0.0.0.0:80", "nonsense"]
)
def test_only_this_machine_can_be_allowed(origin: str) -> None:
    with pytest.raises(FetchError, match="which is not on this machine: use http://127.0.0.1:PORT"):
        Fetcher(lambda: "", [origin])


def test_only_what_looks_like_a_number_becomes_one() -> None:
    text = "a,b,c,d,e,f,g\n1,-2.5,1e3,01,1_000,nan,0x1F\n,,,,,,\n"
    row, missing = tables.from_csv(text, header=True, delimiter=",", numbers=True)
    assert row == {"a": 1, "b": -2.5, "c": 1000.0, "d": "01", "e": "1_000", "f": "nan", "g": "0x1F"}
    assert set(missing.values()) == {None}
    json.dumps(row, allow_nan=False)


def test_pandas_is_loaded_only_when_rows_are_worked_on() -> None:
    import subprocess
    import sys
    from pathlib import Path

    code = "import sys, servers.composite.server; assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2], check=True, timeout=60)
