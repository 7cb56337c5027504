"""Executed notebooks as pages: what was run before or is run now, turned into HTML by nbconvert.

nbconvert's own pages hold 300 kB of style each and load require.js, MathJax, Mermaid and widgets from other hosts. Here
only the cells are taken from its template. What would need these: no notebook has formulas, a Mermaid diagram comes
with its SVG, and a control of ipywidgets without a kernel is a sentence that says so.
"""

# nbconvert and nbformat carry no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from labkit.course.find import COURSE
from labkit.course.kept import Kept, job_ids
from labkit.course.run import FAST, Report
from labkit.errors import NotebookError
from labkit.site.page import Page
from labkit.site.texts import markdown

SHOWN = ("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/plain")
_WIDGET = "application/vnd.jupyter.widget-view+json"
_CONTROL = "<p class='note'>Here the notebook has controls. They need a kernel: open it in the lab.</p>"
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Executed:
    """A notebook, the file to show, and a sentence about how that came to be."""

    source: Path
    shown: Path
    how: str


def from_report(report: Report) -> list[Executed]:
    """The executed copies of a run. Raises NotebookError for a notebook of which the run has kept nothing."""
    found: list[Executed] = []
    for result in report.results:
        copy = result.html.with_suffix(".ipynb") if result.html else None
        if copy is None or not copy.is_file():
            raise result.error or NotebookError(f"{result.name} ran and left no copy in {report.out}")
        how = _passed(result.cells, result.seconds)
        if result.failure:
            where = f"in cell {result.failure.cell}" if result.failure.cell else "before its first cell"
            how = f"This run failed {where}: {result.failure.error}"
        found.append(Executed(result.notebook, copy, how))
    return found


def _passed(cells: int, seconds: float) -> str:
    return f"Executed: {cells} code cell{'' if cells == 1 else 's'} in {seconds:.1f} s."


def from_before(paths: Iterable[Path], folder: Path) -> list[Executed]:
    """What earlier runs have left in `folder`; a notebook that never ran is shown without outputs."""
    kept = Kept(folder)
    found: list[Executed] = []
    for id, path in job_ids(list(paths), FAST, True).items():
        inside = path.relative_to(COURSE) if path.is_relative_to(COURSE) else Path(path.name)
        copy = folder / inside
        entry = kept.find(id)
        if entry and copy.is_file():
            found.append(Executed(path, copy, _passed(entry["cells"], entry["seconds"])))
        elif copy.is_file():
            found.append(Executed(path, copy, "Executed before the lab last changed."))
        else:
            found.append(Executed(path, path, "Not executed: cells without their outputs."))
    return found


def page(each: Executed, root: Path) -> Page:
    """The page of one notebook. Raises NotebookError when the copy cannot be read."""
    import nbformat

    try:
        nb: Any = nbformat.read(each.shown, as_version=4)
    except Exception as error:
        raise NotebookError(
            f"{each.shown} is no notebook that can be read ({error}); delete it, and it is run again"
        ) from None
    origin = each.source.relative_to(root).as_posix()
    title = next((line[2:].strip() for line in first_words(nb) if line.startswith("# ")), each.source.stem)
    note = f'<p class="facts">{html.escape(each.how)} The notebook: <code>{html.escape(origin)}</code></p>'
    body = f'{note}<div class="notebook">{cells(nb)}</div>'
    inside = origin.startswith("notebooks/")
    section, track = ("Course", each.source.parent.name) if inside else ("Exercises", "")
    return Page(origin.removesuffix(".ipynb") + ".html", title.replace("`", ""), body, section, origin, track)


def first_words(nb: Mapping[str, Any]) -> list[str]:
    """The lines of the first cell, when it is text."""
    cell = nb["cells"][0] if nb["cells"] else {"cell_type": "none"}
    return "".join(cell["source"]).splitlines() if cell["cell_type"] == "markdown" else []


def purpose(path: Path) -> str:
    """The first paragraph of a notebook, below its title, as HTML without links."""
    import nbformat

    text = "\n".join(first_words(nbformat.read(path, as_version=4)))
    paragraphs = [each for each in text.split("\n\n") if each.strip() and not each.lstrip().startswith("#")]
    return markdown(_LINK.sub(r"\1", paragraphs[0])) if paragraphs else ""


def cells(nb: Any) -> str:
    """The cells of an executed notebook as HTML; every cell has the anchor `cell-id=ID`, as in JupyterLab."""
    nb.metadata.pop("widgets", None)
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if data.pop(_WIDGET, None) is not None and set(data) <= {"text/plain"}:
                data["text/html"] = _CONTROL
            for kind in set(data) - set(SHOWN):
                del data[kind]
    body, _ = _exporter().from_notebook_node(nb)
    return body


def _unchanged(markup: object) -> str:
    """In place of a filter that takes a fifth of the time to clean what pygments has just escaped."""
    return str(markup)


@cache
def _exporter() -> Any:
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    config = Config({"NbConvertBase": {"display_data_priority": list(SHOWN)}})
    exporter = HTMLExporter(config=config, template_name="lab", template_file="base.html.j2")
    exporter.register_filter("clean_html", _unchanged)
    exporter.log.setLevel("ERROR")  # it warns of figures without a text; links.py gives them one
    return exporter
