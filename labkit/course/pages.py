"""What is kept of a run: executed copies as .ipynb and HTML, an index, JUnit XML; no folder of this machine in any."""

# papermill, nbclient and nbformat carry no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import html
import os
import re
import sysconfig
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.catalog import LAB_ROOT
from labkit.course.find import COURSE
from labkit.files import replace_text

if TYPE_CHECKING:
    from labkit.course.run import Report

STYLE = (
    "body{font:16px system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #8886}"
    "pre{white-space:pre-wrap;overflow-x:auto}"
)


def write_copy(nb: Any, path: Path, out: Path, *, html: bool) -> Path:
    """Write the executed notebook below `out`, as HTML too unless told not to; returns the page to open."""
    import nbformat

    name = path.relative_to(COURSE) if path.is_relative_to(COURSE) else Path(path.name)
    target = out / name
    target.parent.mkdir(parents=True, exist_ok=True)
    nb.metadata.get("papermill", {}).pop("input_path", None)
    text = without_paths(nbformat.writes(nb))
    replace_text(target, text)
    if not html:
        return target
    page = target.with_suffix(".html")
    replace_text(page, _page(nbformat.reads(text, as_version=4), path.stem))
    return page


def _page(nb: Any, title: str) -> str:
    from nbconvert import HTMLExporter

    # Nothing is loaded from elsewhere: a page that is read offline must not wait for a server it cannot reach.
    nowhere = ("require_js_url", "mathjax_url", "mermaid_js_url", "jquery_url", "jupyter_widgets_base_url")
    exporter = HTMLExporter(**dict.fromkeys(nowhere, ""))
    body, _ = exporter.from_notebook_node(nb, {"metadata": {"name": title}})
    return body


def without_paths(text: str) -> str:
    """Take this machine's folders out of a text, JSON included: tracebacks name the files they come from."""
    places = {
        str(LAB_ROOT): "",
        sysconfig.get_path("purelib"): "<python>",
        sysconfig.get_path("stdlib"): "<python>",
        str(Path.home()): "~",
    }
    for place, name in sorted(places.items(), key=lambda item: -len(item[0])):
        for spelling in (place, place.replace("\\", "\\\\"), Path(place).as_posix()):
            if len(spelling) > 3:
                if not name:
                    text = re.sub(re.escape(spelling) + r"(?:/|\\{1,2})", "", text)
                # A function, or the replacement's own backslashes would count as escapes.
                text = re.sub(re.escape(spelling) + r"(?![\w-])", lambda _, to=name or ".": to, text)
    return text


def write_index(report: Report) -> Path:
    """An HTML page that leads to every executed copy."""
    rows: list[str] = []
    for result in report.results:
        link = os.path.relpath(result.html, report.out).replace(os.sep, "/") if result.html else ""
        name = html.escape(result.name)
        state = "passed" if result.ok else "failed"
        rows.append(
            f"<tr><td>{f'<a href={link!r}>{name}</a>' if link else name}</td><td>{state}</td>"
            f"<td>{result.cells}</td><td>{result.seconds:.1f} s</td></tr>"
        )
        if result.failure:
            rows.append(f'<tr><td colspan="4"><pre>{html.escape(without_paths(str(result.failure)))}</pre></td></tr>')
    passed = sum(result.ok for result in report.results)
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Notebooks</title><style>{STYLE}</style>'
        f"<h1>{passed} of {len(report.results)} notebooks passed</h1><p>in {report.seconds:.1f} s</p>"
        "<table><thead><tr><th>notebook</th><th>result</th><th>code cells</th><th>time</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></html>\n"
    )
    target = report.out / "index.html"
    report.out.mkdir(parents=True, exist_ok=True)
    replace_text(target, page)
    return target


def write_junit(report: Report, target: Path) -> Path:
    """JUnit XML, one test case per notebook, as CI systems read it."""
    failed = sum(not result.ok for result in report.results)
    counts = {"tests": str(len(report.results)), "failures": str(failed), "time": f"{report.seconds:.3f}"}
    suites = ET.Element("testsuites", counts)
    suite = ET.SubElement(suites, "testsuite", {"name": "notebooks", "errors": "0", "skipped": "0", **counts})
    for result in report.results:
        where = {"classname": "notebooks", "name": result.name, "time": f"{result.seconds:.3f}"}
        case = ET.SubElement(suite, "testcase", where)
        if result.failure:
            node = ET.SubElement(case, "failure", {"message": _xml(result.failure.error)})
            node.text = _xml(without_paths(str(result.failure)))
    ET.indent(suites)
    target.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(suites).write(target, encoding="utf-8", xml_declaration=True)
    return target


def _xml(text: str) -> str:
    """Without the control characters that XML cannot carry."""
    return "".join(c if c in "\n\t" or ord(c) >= 32 else "?" for c in text)
