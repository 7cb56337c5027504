"""A certificate written down: for a pull request, a CI server, a code scanner, a README.

| ending | what it is |
|---|---|
| .html | a page that needs nothing else: verdict, evidence, how to fix |
| .json | everything, as labkit/testbench/schema/certificate.schema.json has it |
| .xml | JUnit, one test case a check |
| .sarif | SARIF 2.1.0: the security section |
| .svg | a badge |
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import LabError, did_you_mean
from labkit.files import replace_text

if TYPE_CHECKING:
    from labkit.testbench.certificate import Certificate

FORMATS = {".html": "page", ".xml": "junit", ".sarif": "sarif", ".svg": "badge"}
"""Ending to module; each has `render(certificate) -> str`."""


def render(certificate: Certificate, ending: str) -> str:
    """The text of a report. Raises LabError for an ending that is none."""
    if ending == ".json":
        return json.dumps(certificate.as_dict(), indent=2) + "\n"
    if ending not in FORMATS:
        hint = did_you_mean(ending, [*FORMATS, ".json"], has="There are")
        raise LabError(f"No report is written as {ending or 'a file without an ending'!r}. {hint}")
    return import_module(f"{__name__}.{FORMATS[ending]}").render(certificate)


def save(certificate: Certificate, path: str | Path, ending: str = "") -> Path:
    """Write a report, whole or not at all; `ending` when the file's own does not say which.

    Raises LabError when it cannot be written.
    """
    path = Path(path)
    text = render(certificate, ending or path.suffix.lower())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, text, errors="backslashreplace", newline="\n")
    except OSError as error:
        raise LabError(f"Cannot write the report {path}: {error.strerror or error}. Give another place.") from error
    return path
