"""The site: every link leads somewhere, nothing comes from another host, no folder of this machine is in it."""

from __future__ import annotations

import json
import shutil
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from typer.testing import CliRunner

from labkit.catalog import LAB_ROOT
from labkit.cli import app
from labkit.course.find import find_notebooks
from labkit.site import Built, SiteError, api, build_site, frame
from labkit.site.links import Links
from labkit.site.page import Page, may_be_shown

PNG = bytes.fromhex("89504e470d0a1a0a")
TEXTS = {
    "README.md": (
        "# A lab\n\n![A picture](notebooks/start/a.png) ![None](notebooks/start/none.png)\n\n## Two\n\n"
        "[first](notebooks/start/00_first.ipynb#cell-id=calm) [source](servers/small.py) [gone](servers/gone.py) "
        "[answer](exercises/00_first_call/solution.py) [out](../secret.txt) [here](#Two) [nowhere](#Three) "
        "[abroad](https://modelcontextprotocol.io/) [loopback](http://127.0.0.1:8000/mcp)\n"
    ),
    "servers/small.py": "# a small server\nlimit = 1 < 2\n",
    "notebooks/glossary.md": "# Glossary\n\n## A\n\n### what's new?\n\nSee [first](start/00_first.ipynb) and [A](#A).\n",
    "notebooks/index.md": "# Where\n\n| a | b |\n|---|---|\n| [x](start/00_first.ipynb#cell-id=gone) | [y](../interview/questions/protocol.toml) |\n",
}
FIRST = (
    "# 00 · First steps\n\nWhat it is [for](../glossary.md#what's-new?).\n\n[one](../../exercises/00_first_call/task.md), "
    "[another](01_other.ipynb)"
)
CODE = (
    "import sysconfig, tempfile\nfrom IPython.display import HTML, display\nprint('it says', 6 * 7, sysconfig.get_path('purelib'), tempfile.TemporaryDirectory().name)\n"
    "display({'application/vnd.jupyter.widget-view+json': {'model_id': 'x'}, 'text/plain': 'interactive()'}, raw=True)\n"
    'HTML(\'<a href="/lab/tree">the tree</a><img src="http://127.0.0.1/x.png">\')'
)


class Reader(HTMLParser):
    """The anchors of a page, what it links to and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.ids |= {told["id"]} if "id" in told else set()
        if "href" in told:
            (self.links if tag == "a" else self.loads).append(told["href"])
        self.loads += [told[name] for name in ("src", "srcset", "data", "poster", "action") if name in told]


@dataclass
class Lab:
    root: Path
    out: Path
    copies: Path
    built: Built

    def text(self, name: str) -> str:
        return (self.out / name).read_text(encoding="utf-8")

    def again(self, **options) -> Built:
        paths = find_notebooks(course=self.root / "notebooks")
        return build_site(self.out, paths, root=self.root, copies=self.copies, with_api=False, **options)


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Lab]:
    root = tmp_path_factory.mktemp("lab")
    for name, text in TEXTS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / "notebooks" / "start").mkdir()
    (root / "notebooks" / "start" / "a.png").write_bytes(PNG)
    nb = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    )
    nb.cells = [nbformat.v4.new_markdown_cell(FIRST, id="hello"), nbformat.v4.new_code_cell(CODE, id="calm")]
    nbformat.write(nb, root / "notebooks" / "start" / "00_first.ipynb")
    shutil.copytree(LAB_ROOT / "exercises" / "00_first_call", root / "exercises" / "00_first_call")
    (root / "interview" / "questions").mkdir(parents=True)
    shutil.copy(LAB_ROOT / "interview" / "questions" / "protocol.toml", root / "interview" / "questions")
    lab = Lab(root, root / "site", root / "copies", None)
    with pytest.MonkeyPatch.context() as patch:
        # What the lab's own code is like is not the point here, and somebody may be editing it.
        patch.setattr("labkit.course.kept.digest", lambda folders: "the same")
        lab.built = lab.again()
        yield lab


def test_every_link_leads_to_a_file_and_an_anchor_and_nothing_is_loaded_from_elsewhere(lab: Lab) -> None:
    pages = {path: Reader(path.read_text(encoding="utf-8")) for path in lab.out.rglob("*.html")}
    assert len(pages) == len(lab.built.pages) > 8
    seen = 0
    for path, page in pages.items():
        assert not [each for each in page.loads if urlsplit(each).scheme not in ("", "data") or urlsplit(each).netloc]
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme:
                assert link == "https://modelcontextprotocol.io/" or parts.scheme == "data", (path, link)
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file() and target.is_relative_to(lab.out), (path, link)
            assert not parts.fragment or unquote(parts.fragment) in pages[target].ids, (path, link)
            seen += 1
    assert seen > 60
    script = lab.text("assets/site.js") + lab.text("assets/site.css")
    assert "http" not in script and "url(" not in script and "fetch" not in script


def test_the_page_of_a_notebook_has_its_outputs_and_no_folder_of_this_machine(lab: Lab) -> None:
    page = lab.text("notebooks/start/00_first.html")
    assert "it says 42" in page
    assert "&lt;python&gt; (temporary)" in page
    assert "Executed: 1 code cell in" in page
    assert "They need a kernel" in page and ">interactive()" not in page
    assert "No description" not in page
    for path in lab.out.rglob("*"):
        if path.suffix in (".html", ".js", ".css", ".json"):
            text = path.read_text(encoding="utf-8")
            assert not [each for each in (str(LAB_ROOT), str(lab.root), sysconfig.get_path("purelib")) if each in text]


def test_links_lead_to_pages_of_the_site_and_what_is_not_there_keeps_its_words(lab: Lab) -> None:
    start, first = lab.text("index.html"), lab.text("notebooks/start/00_first.html")
    assert 'href="notebooks/start/00_first.html#cell-id=calm"' in start
    assert 'href="source/servers/small.py.html"' in start and "1 &lt; 2" not in start
    assert 'src="notebooks/start/a.png"' in start and (lab.out / "notebooks/start/a.png").read_bytes() == PNG
    for words in ("gone", "answer", "out", "nowhere", "loopback", "None"):
        assert f'<span class="nolink">{words}</span>' in start
    assert 'href="../../exercises/00_first_call/task.html"' in first
    assert "glossary.html#what" in first
    assert '<span class="nolink">another</span>' in first and '<span class="nolink">the tree</span>' in first
    # A cell that is no longer there: the link goes to the notebook.
    assert 'href="start/00_first.html"' in lab.text("notebooks/index.html")
    assert ("notebooks/index.html", "start/00_first.ipynb#cell-id=gone") in lab.built.left_out


def test_exercises_come_without_answers_and_answers_to_questions_are_folded(lab: Lab) -> None:
    task = lab.text("exercises/00_first_call/task.html")
    answer = (LAB_ROOT / "exercises" / "00_first_call" / "solution.py").read_text(encoding="utf-8")
    line = max((each.strip() for each in answer.splitlines()), key=len)
    assert "points" in task and "starter" not in line
    assert line not in "".join(path.read_text(encoding="utf-8") for path in lab.out.rglob("*.html"))
    assert not may_be_shown(LAB_ROOT, "servers/vulnerable/paths/fixed.py")
    assert may_be_shown(LAB_ROOT, "servers/vulnerable/paths/vulnerable.py")
    questions = lab.text("interview/protocol.html")
    assert questions.count("<details><summary>Points and answer") == questions.count('<section class="question">') > 3
    assert "weight 3" in questions


def test_the_search_finds_titles_and_headings(lab: Lab) -> None:
    index = json.loads(lab.text("assets/search.js").removeprefix("window.labSearch = ").rstrip().removesuffix(";"))
    by_name = {each["u"]: each for each in index}
    assert set(by_name) == set(lab.built.pages)
    assert by_name["notebooks/start/00_first.html"]["t"] == "00 · First steps"
    assert ["what's new?", "what's-new?"] in by_name["notebooks/glossary.html"]["h"]


def test_what_has_not_changed_is_not_run_again_and_without_a_run_the_last_one_is_shown(lab: Lab) -> None:
    built = lab.again()
    assert built.report is not None and [each.kept for each in built.report.results] == [True]
    notebook = lab.root / "notebooks" / "start" / "00_first.ipynb"
    text = notebook.read_text(encoding="utf-8")
    try:
        notebook.write_text(text.replace("it says", "it said"), encoding="utf-8")
        assert lab.again(run=False).report is None
        page = lab.text("notebooks/start/00_first.html")
        assert "before the lab last changed" in page and "it says 42" in page
        (lab.copies / "00_first.ipynb").rename(lab.copies / "away")
        lab.again(run=False)
        page = lab.text("notebooks/start/00_first.html")
        assert "Not executed" in page and "it said" in page and "42" not in page
    finally:
        notebook.write_text(text, encoding="utf-8")
        if (lab.copies / "away").exists():
            (lab.copies / "away").rename(lab.copies / "00_first.ipynb")
        lab.again()


def test_a_build_that_ends_early_leaves_the_site_that_was_there(lab: Lab, monkeypatch) -> None:
    before = sorted(lab.root.iterdir())
    mark = lab.text("index.html")
    monkeypatch.setattr(frame, "assets", lambda pages: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        lab.again(run=False)
    assert sorted(lab.root.iterdir()) == before
    assert lab.text("index.html") == mark


def test_a_folder_with_something_else_in_it_is_not_replaced(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(SiteError, match="something else than a site"):
        build_site(tmp_path, [], root=lab.root, run=False, with_api=False)
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]


def test_without_pdoc_the_names_are_left_out_and_it_says_so(lab: Lab, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(api, "available", lambda: False)
    built = build_site(tmp_path / "site", [], root=lab.root, run=False)
    assert not built.with_api and not [each for each in built.pages if each.startswith("api/")]


def test_the_names_of_labkit_link_to_each_other_within_the_site() -> None:
    pytest.importorskip("pdoc", reason="pdoc is not installed: python start.py setup --extras")
    pages = {each.name: each for each in api.api_pages(["labkit.errors", "labkit.course"])}
    assert set(pages) == {"api/index.html", "api/labkit/errors.html", "api/labkit/course.html"}
    course = pages["api/labkit/course.html"]
    assert "run_notebooks" in [each.text for each in course.headings] and "run_notebooks" in course.anchors
    assert "<html" not in course.body and "<script" not in course.body
    links = Links(lambda _: None, lambda _: None, pages.get)
    body = links.resolved(course)
    assert 'href="errors.html#NotebookError"' in body and "site:" not in body
    assert [each for each in links.left_out if "Error" in each[1]] == []
    listed = links.resolved(pages["api/index.html"])
    assert 'href="labkit/course.html"' in listed and "Run notebooks as tests" in listed


def test_a_link_to_an_anchor_with_percent_signs_in_it_is_kept() -> None:
    page = Page("a.html", "A", '<h1 id="00-%C2%B7-A">A<a href="#00-%C2%B7-A">x</a></h1>', "Start")
    body = Links(lambda _: None, lambda _: None, lambda _: None).resolved(page)
    assert unquote(urlsplit(Reader(body).links[0]).fragment) == "00-%C2%B7-A"


def test_the_command_says_which_notebook_it_does_not_know() -> None:
    ended = CliRunner().invoke(app, ["site", "no_such_notebook"])
    assert ended.exit_code == 2
    assert "no notebook matches 'no_such_notebook'" in ended.stderr
