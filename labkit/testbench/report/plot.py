"""Figures of a certificate: a table and a line plot as SVG, which every page can show without a script."""

from __future__ import annotations

from labkit.testbench.check import Figure
from labkit.testbench.report.text import escaped

WIDTH, HEIGHT, LEFT, BOTTOM = 460, 170, 56, 34
COLOURS = ("#2f6fb5", "#b5622f", "#7a4fb0")


def figures(given: list[Figure]) -> str:
    """All figures as HTML; '' when nothing was measured."""
    return "".join(_figure(figure) for figure in given if figure.rows)


def _figure(figure: Figure) -> str:
    names = list(figure.rows[0])
    head = "".join(f"<th scope='col' style='text-align:right;padding:2px 10px'>{escaped(name)}</th>" for name in names)
    rows = "".join(
        "<tr>"
        + "".join(f"<td style='text-align:right;padding:2px 10px'>{row[name]:,g}</td>" for name in names)
        + "</tr>"
        for row in figure.rows
    )
    return (
        f"<figure style='margin:8px 0'><figcaption><b>{escaped(figure.title)}</b>"
        f"{f' ({escaped(figure.note)})' if figure.note else ''}</figcaption>{plot(figure)}"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></figure>"
    )


def plot(figure: Figure) -> str:
    """The last columns of one unit over the first column, which is spaced evenly; from zero up."""
    axis, *others = list(figure.rows[0])
    unit = others[-1].rpartition(" ")[2]
    lines = [name for name in others if name.rpartition(" ")[2] == unit][-len(COLOURS) :]
    most = max((row[name] for row in figure.rows for name in lines), default=0) or 1
    step = (WIDTH - LEFT - 90) / max(1, len(figure.rows) - 1)

    def across(at: int) -> float:
        return LEFT + at * step

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - value / most * (HEIGHT - BOTTOM - 14)

    end = across(len(figure.rows) - 1)
    parts = [
        f"<path d='M{LEFT} {up(v):.1f}H{end:.0f}' stroke='currentColor' opacity='.2'/>"
        f"<text x='{LEFT - 6}' y='{up(v) + 4:.1f}' text-anchor='end'>{v:.3g}</text>"
        for v in (0, most / 2, most)
    ]
    parts += [
        f"<text x='{across(at):.1f}' y='{HEIGHT - BOTTOM + 16}' text-anchor='middle'>{row[axis]:g}</text>"
        for at, row in enumerate(figure.rows)
    ]
    parts.append(f"<text x='{LEFT}' y='{HEIGHT - 4}'>{escaped(axis)}; {escaped(unit)} upward</text>")
    for name, colour in zip(lines, COLOURS, strict=False):
        points = " ".join(f"{across(at):.1f},{up(row[name]):.1f}" for at, row in enumerate(figure.rows))
        last = figure.rows[-1][name]
        parts.append(f"<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='2'/>")
        parts.append(f"<text x='{end + 6:.1f}' y='{up(last) + 4:.1f}'>{escaped(name)}</text>")
    said = escaped(f"{figure.title}: {', '.join(lines)} over {axis}")
    return (
        f"<svg role='img' aria-label='{said}' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}' "
        f"style='max-width:100%;font:11px sans-serif' fill='currentColor'>{''.join(parts)}</svg>"
    )
