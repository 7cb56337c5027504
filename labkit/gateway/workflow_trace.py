"""What became of a workflow, step by step: as data, as text, as a table, and as a diagram."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

Outcome = Literal["waiting", "running", "done", "skipped", "failed", "unknown", "not run"]
"""`failed`: the tool has said no, or was not reached. `unknown`: no answer came, so it may have happened or not."""
Undo = Literal["", "undone", "not undone"]

MARKS = {"done": "+", "skipped": "-", "failed": "x", "unknown": "?", "not run": " ", "waiting": " ", "running": ">"}
STYLES = {
    "done": "fill:#d9f2d9,stroke:#2e7d32,color:#000",
    "skipped": "fill:#eeeeee,stroke:#9e9e9e,color:#000,stroke-dasharray:4",
    "failed": "fill:#f8d7da,stroke:#b71c1c,color:#000",
    "unknown": "fill:#fff3cd,stroke:#b26a00,color:#000",
    "undone": "fill:#d6e4ff,stroke:#1a4fa3,color:#000",
    "idle": "fill:#ffffff,stroke:#9e9e9e,color:#000",
}


@dataclass
class StepTrace:
    """One step. Times are in seconds since the run began."""

    id: str
    tool: str
    needs: tuple[str, ...] = ()
    outcome: Outcome = "waiting"
    start: float | None = None
    end: float | None = None
    attempts: int = 0
    error: str = ""
    """Why it failed, was skipped, or is not known."""
    result: Any = None
    undo: Undo = ""
    undo_tool: str = ""
    undo_error: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return None if self.start is None or self.end is None else self.end - self.start


@dataclass
class Trace:
    """One run of a workflow.

    `outcome` is "done", "failed" (a step failed, and what was done is undone as far as it can be) or "stuck": it is
    not known whether a step was done, or one could not be undone. Somebody has to look.
    """

    workflow: str
    inputs: dict[str, Any]
    steps: list[StepTrace]
    outcome: Literal["running", "done", "failed", "stuck"] = "running"
    error: str = ""
    seconds: float = 0.0
    output: Any = None
    """What the workflow says it gives; without that, the results of all steps by their ids."""
    undone: list[str] = field(default_factory=list[str])
    """Steps that were taken back, in that order."""

    @property
    def is_error(self) -> bool:
        """Whether it did not come to its end."""
        return self.outcome != "done"

    def __getitem__(self, id: str) -> StepTrace:
        """A step by its id. Raises KeyError."""
        for step in self.steps:
            if step.id == id:
                return step
        raise KeyError(f"the workflow {self.workflow!r} has no step {id!r}")

    def text(self) -> str:
        """A line for each step."""
        wide = max((len(step.id) for step in self.steps), default=0)
        tools = max((len(step.tool) for step in self.steps), default=0)
        head = f"{self.workflow}: {self.outcome} after {self.seconds:.3f} s"
        lines = [f"{head}: {self.error}" if self.error else head]
        for step in self.steps:
            times = "" if step.start is None else f"{step.start:.3f}-{step.end or self.seconds:.3f} s"
            tries = f" ({step.attempts} attempts)" if step.attempts > 1 else ""
            undo = f", {step.undo} by {step.undo_tool}" if step.undo else ""
            why = "; ".join(part for part in (step.error, step.undo_error) if part)
            said = f"{step.outcome}{tries}{undo}" + (f": {why}" if why else "")
            lines.append(f"  {MARKS[step.outcome]} {step.id:{wide}}  {step.tool:{tools}}  {times:15}  {said}")
        return "\n".join(lines)

    __str__ = text

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text())}</pre>"

    def table(self) -> pd.DataFrame:
        """A row for each step, for counting and plotting."""
        import pandas as pd

        columns = ["tool", "outcome", "undo", "start", "end", "seconds", "attempts", "error"]
        rows = [[getattr(step, column) for column in columns] for step in self.steps]
        return pd.DataFrame(rows, columns=columns, index=pd.Index([step.id for step in self.steps], name="step"))

    def mermaid(self) -> str:
        """The source of a Mermaid flowchart: arrows are needs, dotted ones take a step back."""
        names = {step.id: f"s{number}" for number, step in enumerate(self.steps)}
        lines = ["flowchart LR"]
        styles: dict[str, list[str]] = {}
        for step in self.steps:
            name, seconds = names[step.id], step.seconds
            told = step.outcome + (f", {seconds:.3f} s" if seconds is not None and step.outcome == "done" else "")
            told += f", {step.attempts} attempts" if step.attempts > 1 else ""
            label = f"{_label(step.id)}<br/>{_label(step.tool)}<br/>{told}"
            lines.append(f'    {name}["{label}"]')
            lines += [f"    {names[need]} --> {name}" for need in step.needs]
            if step.undo:
                lines.append(f'    {name}u(["{_label(step.undo_tool)}<br/>{step.undo}"])')
                lines.append(f"    {name} -.-> {name}u")
                styles.setdefault("undone" if step.undo == "undone" else "failed", []).append(f"{name}u")
            styles.setdefault(step.outcome if step.outcome in STYLES else "idle", []).append(name)
        for style, members in styles.items():
            lines += [f"    classDef {style} {STYLES[style]}", f"    class {','.join(members)} {style}"]
        return "\n".join(lines)


def _label(text: str) -> str:
    # Mermaid reads # as the start of an entity, and HTML in labels; a quote or a line break would end the label.
    safe = re.sub(r"[^\w .:/()-]", lambda found: " " if found.group().isspace() else f"#{ord(found.group())};", text)
    return safe[:120]
