"""Build the site: run what has to run, make the pages, write them to a new folder, move that into place whole."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labkit.catalog import LAB_ROOT
from labkit.course.pages import without_paths
from labkit.course.run import Report, Result, run_notebooks
from labkit.errors import LabError
from labkit.site import api, frame, texts
from labkit.site.links import Links
from labkit.site.notebooks import Executed, from_before, from_report, page, purpose
from labkit.site.page import PICTURES, TEXTS, Page, may_be_shown

MARK = "site.json"
"""The file that says that a folder is a site, and may be replaced by the next one."""
_TEXTS = (
    ("notebooks/glossary.md", "notebooks/glossary.html", "Glossary"),
    ("notebooks/index.md", "notebooks/index.html", "Where is X taught?"),
    ("notebooks/reading.md", "notebooks/reading.html", "Where to read on"),
)


class SiteError(LabError):
    """The site cannot be put where it should go."""


@dataclass(frozen=True)
class Built:
    """What was built."""

    out: Path
    pages: tuple[str, ...]
    """The files of the pages, below `out`."""
    report: Report | None
    """How the notebooks ran; None when none was run."""
    left_out: tuple[tuple[str, str], ...] = field(repr=False)
    """Links that would lead nowhere: the page, and where it led."""
    with_api: bool
    """Whether labkit's names are there: pdoc makes them, an extra."""

    @property
    def ok(self) -> bool:
        """Whether every notebook that was run passed."""
        return self.report is None or self.report.ok


def build_site(
    out: Path,
    notebooks: Sequence[Path],
    *,
    root: Path = LAB_ROOT,
    copies: Path | None = None,
    run: bool = True,
    jobs: int | None = None,
    with_api: bool = True,
    on_result: Callable[[Result], None] | None = None,
) -> Built:
    """Build a static site of these notebooks and of the lab's texts in the folder `out`, and replace the one before.

    root: the lab, for its README, notebooks/, exercises/ and interview/. copies: where executed notebooks are kept,
    `build/notebooks/` unless given; what passed and has not changed is not run again. run: False shows what was run
    before. jobs: kernels at a time, one more than cores unless given. with_api: labkit's names, where pdoc is there.

    A notebook that fails stands in the site as far as it came; see `Built.ok`. Raises SiteError when `out` holds
    something else than a site, NotebookError, ExerciseError or InterviewError when a text of the lab cannot be read.
    Nothing stays running, and a build that ends early leaves the site that was there.
    """
    out, root = out.absolute(), root.resolve()
    _check(out)
    paths = [path.resolve() for path in notebooks]
    folder = (copies or LAB_ROOT / "build" / "notebooks").resolve()
    report = run_notebooks(paths, out=folder, jobs=jobs, resume=True, on_result=on_result) if run and paths else None
    executed = from_report(report) if report else from_before(paths, folder)
    with_api = with_api and api.available()
    site = _Site(root, [*_pages(root, executed), *(api.api_pages() if with_api else ())])
    bodies = site.resolve()
    pages = list(site.pages.values())
    draft = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        for each in pages:
            _write(draft / each.name, _anywhere(frame.whole(each, bodies[each.name], pages)))
        for name, text in frame.assets(pages).items():
            _write(draft / name, text)
        for name in site.pictures:
            target = draft / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, target)
        told = {"made by": "labkit site", "pages": len(pages), "notebooks": len(paths), "api": with_api}
        _write(draft / MARK, json.dumps(told, indent=1) + "\n")
        _check(out)
        _move(draft, out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Built(out, tuple(each.name for each in pages), report, tuple(site.links.left_out), with_api)


def _pages(root: Path, executed: Sequence[Executed]) -> list[Page]:
    """The pages that are always there, in the order of the menu."""
    course = [page(each, root) for each in executed]
    stems = {Path(each.origin).stem: each.origin for each in course}
    tracks: dict[str, list[tuple[str, str, str]]] = {}
    for each, of in zip(course, executed, strict=True):
        if each.section == "Course":
            tracks.setdefault(each.group, []).append((each.origin, each.title, purpose(of.source)))
    exercises = texts.exercise_pages(root, stems)
    return [
        _start(root, course),
        texts.course_page(tracks.items()),
        *(each for each in course if each.section == "Course"),
        *(texts.text_page(root, *of) for of in _TEXTS if (root / of[0]).is_file()),
        *exercises[:1],
        *(each for each in course if each.section != "Course"),
        *exercises[1:],
        *texts.interview_pages(root, stems),
    ]


def _start(root: Path, course: Sequence[Page]) -> Page:
    """The README, and above its first section where to begin in the site."""
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else "# MCP Lab\n"
    begin = f' Begin with <a href="{course[0].origin}">{html.escape(course[0].title)}</a>.' if course else ""
    here = (
        f'<p class="note">This site shows the course as it ran.{begin} All else is in the contents;'
        " <kbd>/</kbd> searches titles and headings.</p>"
    )
    head, mark, rest = texts.markdown(text).partition("<h2")
    return Page("index.html", "MCP Lab", f'<div class="prose">{head}{here}{mark}{rest}</div>', "Start", "README.md")


class _Site:
    """The pages, and those that are added because a page links to a file of the lab."""

    def __init__(self, root: Path, pages: Sequence[Page]) -> None:
        self.root = root
        self.pages = {each.name: each for each in pages}
        self.pictures: dict[str, None] = {}
        self._made_of = {each.origin: each for each in pages if each.origin}
        self._new: deque[Page] = deque(pages)
        self.links = Links(self._page_of, self._picture, self.pages.get)

    def resolve(self) -> dict[str, str]:
        """The bodies of all pages, by name, with their links resolved; what they link to is resolved as well."""
        bodies: dict[str, str] = {}
        while self._new:
            each = self._new.popleft()
            bodies[each.name] = self.links.resolved(each)
        return bodies

    def _page_of(self, origin: str) -> Page | None:
        if origin not in self._made_of and may_be_shown(self.root, origin):
            suffix = Path(origin).suffix
            if suffix == ".md":
                made = texts.text_page(self.root, origin, f"{origin.removesuffix('.md')}.html", "Sources")
            elif suffix in TEXTS or "Dockerfile" in Path(origin).name:
                made = texts.source_page(self.root, origin)
            else:
                return None
            self._made_of[origin] = self.pages[made.name] = made
            self._new.append(made)
        return self._made_of.get(origin)

    def _picture(self, name: str) -> str | None:
        if Path(name).suffix.lower() not in PICTURES or not may_be_shown(self.root, name):
            return None
        self.pictures[name] = None
        return name


def _check(out: Path) -> None:
    if out.exists() and not (out / MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise SiteError(f"{out} holds something else than a site. Name another folder, or empty this one.")


def _anywhere(markup: str) -> str:
    """HTML without folders of this machine: what `without_paths` takes out, and temporary folders that a cell made."""
    markup = without_paths(markup).replace("<python>", "&lt;python&gt;")
    return re.sub(re.escape(tempfile.gettempdir()) + r"[/\\](?:tmp|labkit-)\w[\w-]*", "(temporary)", markup)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _move(draft: Path, out: Path) -> None:
    """Put the new folder in the place of the old one. When that cannot be, the old one stays."""
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    if out.exists():
        out.replace(old)
    try:
        draft.replace(out)
    except OSError:
        if old.exists():
            old.replace(out)
        raise
    shutil.rmtree(old, ignore_errors=True)
