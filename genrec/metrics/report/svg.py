"""How does a drawing sit in a page? matplotlib SVG whose colours are CSS variables of the page.

matplotlib draws in placeholder colours; each is then replaced by a variable, so that one file is right in
light and in dark mode. Text stays text (selectable, in the reader's font), and two runs give the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from genrec.metrics.report.text import visible

INK, MUTED, GRID, BACK = "#010203", "#020304", "#030405", "#040506"
SERIES = tuple(f"#0a0b{i:02x}" for i in range(16, 24))
VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid", BACK: "--card"} | {
    colour: f"--s{i + 1}" for i, colour in enumerate(SERIES)
}
LONGEST_NAME = 36


def tick(name: str) -> str:
    """A name short and harmless enough to stand at an axis."""
    text = " ".join(visible(name).split())
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


@contextmanager
def canvas(title: str, width: float, height: float) -> Iterator[tuple[Any, list[str]]]:
    """Axes in our style; the list receives the SVG when the block ends."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: Any = {
        "svg.fonttype": "none", "svg.hashsalt": title, "font.size": 9, "font.family": "sans-serif",
        "text.color": INK, "axes.labelcolor": MUTED, "xtick.color": MUTED, "ytick.color": INK,
        "axes.edgecolor": GRID, "grid.color": GRID, "axes.grid": True, "axes.grid.axis": "y",
        "grid.linewidth": 0.7, "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False,
        "axes.spines.left": False, "xtick.major.size": 0, "ytick.major.size": 0, "text.parse_math": False,
    }  # fmt: skip
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)
        result: list[str] = []
        yield axes, result
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    result.append(for_page(file.getvalue(), title))


def for_page(svg: str, title: str) -> str:
    """Make matplotlib's SVG part of a page.

    Args:
        svg: A whole SVG document.
        title: Read out by screen readers.

    Returns:
        The svg element without fixed size, with the page's colours and font.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", body, count=1)
    body = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", body, count=1)
    body = body.replace("<svg", f'<svg role="img" aria-label="{escape(visible(title))}"', 1)
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px; font-family: inherit", body)
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    return body
