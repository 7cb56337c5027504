"""How results and progress read on a page, without a connection: media below their heading, long texts in a box."""

from __future__ import annotations

import html
import re
from typing import Any

import mcp_types as types
import pytest

from labkit.session.progress import _View
from labkit.session.results import Result

LINES = "".join(f"line {number} of <b>many</b>\n" for number in range(300))


def result(*content: Any, structured: Any = None) -> Result:
    raw = types.CallToolResult(content=list(content), structured_content=structured)
    return Result("t", raw, wrapped=structured is not None, seconds=0.1)


def test_media_stand_below_the_heading_and_not_beside_it() -> None:
    page = result(
        types.ImageContent(data="AAAA", mime_type="image/png"), types.AudioContent(data="AAAA", mime_type="audio/wav")
    )._repr_html_()
    media = re.findall(r"<(?:img|audio)[^>]*>", page)
    assert len(media) == 2 and all("display:block" in each for each in media)


@pytest.mark.parametrize("structured", [None, {"result": LINES}], ids=["text", "structured"])
def test_a_long_text_keeps_its_lines_and_scrolls_in_a_box(structured: Any) -> None:
    long = result(types.TextContent(text=LINES), structured=structured)
    page = long._repr_html_()
    assert html.escape(LINES) in page and "<b>many" not in page, "all of it, escaped, with its own line breaks"
    assert "<pre tabindex='0' style=" in page and "max-height" in page and "overflow:auto" in page
    assert (r"\n" in repr(long)) == (structured is not None), "its text form is the JSON that it was"


@pytest.mark.parametrize("text", ["x" * 5000, "\n" * 50], ids=["characters", "lines"])
def test_a_text_is_long_by_its_characters_or_its_lines(text: str) -> None:
    assert "max-height" in result(types.TextContent(text=text))._repr_html_()


@pytest.mark.parametrize(
    ("data", "shown"), [("one line", "&quot;one line&quot;"), ("a\nb", "a\nb"), (["a\nb"], r"a\nb")]
)
def test_short_data_has_no_box_and_only_a_text_of_several_lines_is_no_json(data: Any, shown: str) -> None:
    page = result(types.TextContent(text="-"), structured={"result": data})._repr_html_()
    assert shown in page and "max-height" not in page


@pytest.mark.parametrize(
    ("progress", "total", "said"),
    [
        (380_000_000.0, 400_000_000.0, "t: 380,000,000 of 400,000,000 on"),
        (3, 5, "t: 3 of 5 on"),
        (0.25, 1.0, "t: 0.25 of 1 on"),
        (999.99, 1234.5, "t: 1000 of 1,234 on"),
        (1e300, None, "t: 1e+300 on"),
        (float("inf"), None, "t: inf on"),
    ],
)
def test_progress_is_written_as_one_reads_numbers(progress: float, total: float | None, said: str) -> None:
    assert repr(_View("t", progress, total, "on")) == said
