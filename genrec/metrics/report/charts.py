"""How is a figure drawn? Curves and bars with matplotlib, as SVG for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from genrec.metrics.report.svg import INK, MUTED, SERIES, canvas, tick

MOST_POINTS = 240

Values = Sequence[float]


@dataclass(frozen=True)
class Line:
    """One curve.

    Args:
        label: Its name in the legend.
        x: Positions.
        y: Values; NaN leaves a gap.
        faint: True draws it thin and pale (the raw values behind a smoothed curve).
        markers: True marks the points.
        area: True fills down to zero.
    """

    label: str
    x: Values
    y: Values
    faint: bool = False
    markers: bool = False
    area: bool = False


@dataclass(frozen=True)
class Chart:
    """A finished drawing.

    Args:
        title: Heading above it.
        caption: A sentence below it.
        svg: The drawing.
    """

    title: str
    caption: str
    svg: str = field(repr=False)


def thin(x: Values, y: Values, most: int = MOST_POINTS) -> tuple[list[float], list[float]]:
    """Average neighbouring points of a long curve.

    Args:
        x: n positions.
        y: n values.
        most: Most points kept.

    Returns:
        At most `most` positions and values, the means of equal stretches.
    """
    if len(x) <= most:
        return [float(v) for v in x], [float(v) for v in y]
    width = math.ceil(len(x) / most)
    stretches = [slice(start, start + width) for start in range(0, len(x), width)]
    return [_mean(x[s]) for s in stretches], [_mean(y[s]) for s in stretches]


def _mean(values: Values) -> float:
    return math.fsum(values) / len(values)


def smoothed(y: Values, window: int) -> list[float]:
    """Centred moving average; at the ends over what is there.

    Args:
        y: n values.
        window: Values averaged.

    Returns:
        n averages.
    """
    half = max(0, window // 2)
    return [_mean(y[max(0, i - half) : i + half + 1]) for i in range(len(y))]


def line_chart(title: str, lines: Sequence[Line], x_label: str, caption: str = "", *, from_zero: bool = False) -> Chart:
    """Draw curves.

    Args:
        title: Heading.
        lines: At least one.
        x_label: Unit of x.
        caption: Sentence below.
        from_zero: True starts the vertical axis at 0.

    Returns:
        The chart.
    """
    with canvas(title, 4.0, 2.2) as (axes, result):
        colours = _colours(lines)
        for line in lines:
            _draw(axes, line, colours[line.label])
        axes.set_xlabel(x_label)
        if from_zero:
            axes.set_ylim(bottom=0)
        if len(colours) > 1:
            axes.legend(loc="best", frameon=False, labelcolor=INK, fontsize=8)
    return Chart(title, caption, result[0])


def _colours(lines: Sequence[Line]) -> dict[str, str]:
    """One colour per label; a faint curve shares it with its smoothed one."""
    labels = list(dict.fromkeys(line.label for line in lines))
    return {label: SERIES[i % len(SERIES)] for i, label in enumerate(labels)}


def _draw(axes: Any, line: Line, colour: str) -> None:
    x, y = thin(line.x, line.y)
    style: dict[str, Any] = {"linewidth": 0.8, "alpha": 0.35} if line.faint else {"linewidth": 1.8}
    marker = "o" if line.markers or len(x) == 1 else None
    axes.plot(
        x,
        y,
        color=colour,
        label=None if line.faint else tick(line.label),
        marker=marker,
        markersize=3.5,
        **style,
    )
    if line.area:
        axes.fill_between(x, y, 0, color=colour, alpha=0.2, linewidth=0)


def bar_chart(
    title: str,
    names: Sequence[str],
    values: Values,
    caption: str = "",
    *,
    intervals: Sequence[tuple[float, float] | None] | None = None,
    highlight: Sequence[bool] | None = None,
    number: str = "{:.4f}",
) -> Chart:
    """Draw horizontal bars with their numbers.

    Args:
        title: Heading.
        names: One per bar, top to bottom.
        values: Their lengths.
        caption: Sentence below.
        intervals: (low, high) whiskers, None where a bar has none.
        highlight: True paints a bar in the first colour, False in grey; None means all True.
        number: Format of the number at the end of a bar.

    Returns:
        The chart.
    """
    with canvas(title, 5.4, 0.5 + 0.34 * len(names)) as (axes, result):
        strong = highlight or [True] * len(names)
        places = list(range(len(names)))[::-1]
        colours = [SERIES[0] if bold else MUTED for bold in strong]
        axes.barh(places, values, color=colours, height=0.62)
        whiskers = list(intervals or [None] * len(names))
        for place, value, ends in zip(places, values, whiskers, strict=True):
            reach = value if ends is None else ends[1]
            if ends is not None:
                axes.plot(ends, [place, place], color=INK, linewidth=1.2)
            text, end = number.format(value), (reach, place)
            axes.annotate(text, end, (5, 0), textcoords="offset points", va="center", color=INK, fontsize=9)
        axes.set_yticks(places, [tick(name) for name in names])
        axes.grid(visible=False)
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
        axes.margins(x=0.18)
        axes.set_xlim(left=0)
    return Chart(title, caption, result[0])
