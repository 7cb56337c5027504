"""How practice went over time: all sessions, all answers, the score by topic as a table and as a picture."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from labkit.interview.bank import InterviewError
from labkit.interview.entries import weighted
from labkit.interview.record import Record
from labkit.interview.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Topic:
    """How the questions of a topic went: means of the first and of the latest attempt at each."""

    questions: int
    attempts: int
    first: float
    latest: float


class History:
    """The sessions and attempts of one learner. `.table()` is a DataFrame of answers, `.plot()` a figure."""

    def __init__(self, folder: Path | None = None) -> None:
        self.attempts = Record(folder).attempts()
        self.kept = Store(folder).all()

    def sessions(self) -> pd.DataFrame:
        """A DataFrame, one row per session: id, when, role, minutes, state, items done, minutes used, result (0..1)."""
        import pandas as pd

        rows = [_row(data) for data in self.kept]
        names = ["session", "began", "role", "minutes", "state", "done", "items", "used", "result"]
        return pd.DataFrame(rows, columns=names)

    def table(self) -> pd.DataFrame:
        """A DataFrame, one row per attempt: when, question, topic, fraction (0..1), skipped, session."""
        import pandas as pd

        rows = [
            (pd.Timestamp(a.at, unit="s", tz="UTC"), a.question, a.topic, a.fraction, a.skipped, a.session)
            for a in self.attempts
        ]
        return pd.DataFrame(rows, columns=["when", "question", "topic", "fraction", "skipped", "session"])

    def by_topic(self) -> dict[str, Topic]:
        """For each topic: how many questions, and the mean fraction of the first and of the latest attempts at them."""
        tries: dict[str, dict[str, list[float]]] = {}
        for attempt in self.attempts:
            tries.setdefault(attempt.topic, {}).setdefault(attempt.question, []).append(attempt.fraction)
        return {
            topic: Topic(
                len(of),
                sum(map(len, of.values())),
                sum(each[0] for each in of.values()) / len(of),
                sum(each[-1] for each in of.values()) / len(of),
            )
            for topic, of in sorted(tries.items())
        }

    def topics(self) -> pd.DataFrame:
        """`by_topic` as a DataFrame, one row per topic, with the gain from the first to the latest."""
        import pandas as pd

        rows = [(name, *astuple(each), each.latest - each.first) for name, each in self.by_topic().items()]
        return pd.DataFrame(rows, columns=["topic", "questions", "attempts", "first", "latest", "gain"])

    def plot(self) -> Figure:
        """A matplotlib figure: the score by topic over time, a point per day and topic."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.5, 3.6), layout="constrained")
        axes: Any = figure.subplots()
        table: Any = self.table()
        if table.empty:
            axes.text(0.5, 0.5, "no answers yet", ha="center", va="center", transform=axes.transAxes)
        else:
            days = table.assign(day=table["when"].dt.floor("D")).groupby(["topic", "day"])["fraction"].mean()
            for topic in days.index.get_level_values("topic").unique():
                line = days.loc[topic]
                axes.plot(line.index, line.to_numpy(), marker="o", label=topic)
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
            figure.autofmt_xdate()
        axes.set_ylim(-0.03, 1.03)
        axes.set_ylabel("share of the points seen")
        axes.set_title("Answers by topic over time")
        return figure

    def save_plot(self, path: Path) -> None:
        """Draw it into a file; its ending says how. Raises InterviewError when that cannot be."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            cast("Any", self.plot()).savefig(path)
        except (OSError, ValueError) as error:
            raise InterviewError(f"The trend cannot be drawn into {path}: {error}") from None

    @property
    def headline(self) -> str:
        """One line: how much there was."""
        done = sum(data["state"] == "finished" for data in self.kept)
        answered = [attempt for attempt in self.attempts if not attempt.skipped]
        mean = f", {sum(a.fraction for a in answered) / len(answered):.0%} of the points on average" if answered else ""
        return f"{len(self.kept)} sessions, {done} finished; {len(answered)} answers{mean}"

    def __str__(self) -> str:
        lines = [self.headline]
        for session, began, role, minutes, state, done, items, used, result in map(_row, self.kept):
            share = "" if result is None else f"  {result:.0%}"
            when = began.strftime("%Y-%m-%d %H:%M")
            lines.append(f"  {session}  {when}  {role:18} {used:>3.0f} of {minutes} min  {done}/{items} {state}{share}")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        sessions: Any = self.sessions()
        table = sessions.to_html(index=False, border=0, float_format="{:.2f}".format)
        return f"<div class='labkit-history'><b>{self.headline}</b>{table}</div>"


def _row(data: dict[str, Any]) -> tuple[Any, ...]:
    entries: list[dict[str, Any]] = data["entries"]
    result = weighted((each["item"]["minutes"], each["fraction"]) for each in entries if each["status"] != "open")
    began = datetime.fromtimestamp(data["began"])
    used = sum(each["seconds"] for each in entries) / 60
    done = sum(each["status"] == "done" for each in entries)
    return data["id"], began, data["role"], data["minutes"], data["state"], done, len(entries), used, result
