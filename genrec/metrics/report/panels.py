"""Which drawings does a run deserve? Results, training curves, the policy, the curriculum, the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genrec.metrics.report.charts import Chart, Line, bar_chart, line_chart, smoothed
from genrec.metrics.report.columns import Row, is_baseline, row_name
from genrec.metrics.report.scaling import scaling_chart
from genrec.metrics.report.tables import over_seeds

Log = Sequence[Mapping[str, Any]]
SMOOTH_FROM = 40  # logs with at least this many points get a smoothed curve over the raw one


@dataclass(frozen=True)
class Panel:
    """One drawing of log figures.

    Args:
        title: Heading.
        keys: Names in the log and their labels; what no log holds is left out.
        caption: Sentence below.
    """

    title: str
    keys: Mapping[str, str]
    caption: str = ""


PANELS = (
    Panel("Loss", {"loss": "training", "eval_loss": "validation"}),
    Panel("Reward", {"reward": "mean reward"}, "Mean over all completions; 1 is an exact hit."),
    Panel("Hit rate", {"hit_rate": "hits"}, "Share of sampled answers that are the next item."),
    Panel(
        "Groups without signal",
        {"zero_variance/drawn": "as drawn", "zero_variance/kept": "after resampling"},
        "Share of groups in which every completion got the same reward.",
    ),
    Panel("Prefix length", {"prefix_length": "codes"}, "Codes of the target that the answer begins with."),
    Panel("Form", {"format_rate": "well-formed outputs"}),
    Panel("Distinct items per group", {"distinct_items": "items"}, "Falls when the policy collapses."),
    Panel("Distance to the reference", {"kl": "KL"}),
    Panel("Entropy", {"entropy": "token entropy"}),
    Panel("Tokens per completion", {"completions/mean_length": "mean length"}),
)


def stage_charts(stage: str, log: Log) -> list[Chart]:
    """Curves of one training stage.

    Args:
        stage: Its name, in front of each title.
        log: Its logged steps, each with `step`.

    Returns:
        One chart per panel whose figures were logged at two steps or more.
    """
    charts = []
    for panel in PANELS:
        lines = [line for key, label in panel.keys.items() for line in _curve(label, log, key)]
        if lines:
            title = f"{stage}: {panel.title[0].lower()}{panel.title[1:]}"
            charts.append(line_chart(title, lines, "step", panel.caption))
    return charts


def _curve(label: str, log: Log, key: str) -> list[Line]:
    """The raw curve, and where it is long the smoothed one over it."""
    points = [(row["step"], row[key]) for row in log if isinstance(row.get(key), int | float) and "step" in row]
    if len(points) < 2:
        return []
    x, y = [float(step) for step, _ in points], [float(value) for _, value in points]
    if len(points) < SMOOTH_FROM:
        return [Line(label, x, y)]
    return [Line(label, x, y, faint=True), Line(label, x, smoothed(y, len(y) // 10))]


def validation_charts(validation: Mapping[str, Log]) -> list[Chart]:
    """Each validation metric over the steps of its stage.

    Args:
        validation: Stage to its scores, each with `step`.

    Returns:
        One chart per stage with scores at two steps or more.
    """
    charts = []
    for stage, rows in validation.items():
        names = [name for name in ("NDCG@10", "Recall@10", "Pass@1") if any(name in row for row in rows)]
        lines = [
            Line(name, [float(row["step"]) for row in rows], [float(row[name]) for row in rows], markers=True)
            for name in names
            if all(name in row for row in rows)
        ]
        if len(rows) > 1 and lines:
            caption = "Fixed sample of validation users; the best step is kept."
            charts.append(line_chart(f"{stage}: validation", lines, "step", caption, from_zero=True))
    return charts


def mix_chart(mix: Mapping[str, Sequence[float]]) -> Chart:
    """The curriculum: how much reasoning is mixed into alignment.

    Args:
        mix: `share` of reasoning batches around each step in [0, 1], and optionally `step`.

    Returns:
        The chart.
    """
    share = [float(value) for value in mix["share"]]
    steps = [float(step) for step in mix.get("step") or range(len(share))]
    caption = "Share of reasoning batches around each optimizer step."
    line = Line("reasoning", steps, share, area=True)
    return line_chart("Curriculum mix", [line], "step", caption, from_zero=True)


def result_chart(rows: Sequence[Row], metric: str, mode: str) -> Chart | None:
    """Bars of one metric over all systems of a mode.

    Args:
        rows: Rows of metrics.json.
        metric: Figure drawn.
        mode: "direct" (baselines take part) or "reasoning".

    Returns:
        The chart; None with fewer than two bars.
    """
    shown = [row for row in over_seeds(rows) if row.get(metric) is not None]
    shown = [row for row in shown if row["mode"] == mode or (mode == "direct" and is_baseline(row))]
    if len(shown) < 2:
        return None
    ends = [(row[f"{metric}_low"], row[f"{metric}_high"]) if f"{metric}_low" in row else None for row in shown]
    drawn_ends = "Whiskers: 95 % bootstrap interval over users." if any(ends) else ""
    return bar_chart(
        f"{metric}, {mode} mode",
        [row_name(row) for row in shown],
        [float(row[metric]) for row in shown],
        f"{drawn_ends} Grey: baselines.".strip() if any(map(is_baseline, shown)) else drawn_ends,
        intervals=ends,
        highlight=[not is_baseline(row) for row in shown],
    )


def index_charts(health: Mapping[str, Any]) -> list[Chart]:
    """Code usage of an index.

    Args:
        health: Content of index/health.json.

    Returns:
        Perplexity per level over the codebook size; nothing when the file has no levels.
    """
    levels = health.get("levels") or []
    alpha = alpha_chart(health.get("alpha_by_popularity") or {})
    if not levels:
        return alpha
    shares = [100 * level["perplexity"] / level["size"] for level in levels]
    names = [
        f"level {level_name(i, level)} ({level['used']} of {level['size']} codes)" for i, level in enumerate(levels)
    ]
    caption = "Perplexity as a share of the codebook: 100 % means that all codes are equally frequent."
    return [bar_chart("How evenly the codes are used", names, shares, caption, number="{:.0f} %"), *alpha]


def level_name(place: int, level: Mapping[str, Any]) -> str:
    """A codebook's own name, else the letter of its tokens."""
    return str(level.get("name") or "abcdefghijklmnop"[place % 16])


def alpha_chart(found: Mapping[str, Any]) -> list[Chart]:
    """FlexCode's split against popularity.

    Args:
        found: `alpha_by_popularity` of health.json: groups of items, least popular first.

    Returns:
        One chart, or none without groups.
    """
    groups = found.get("groups") or []
    if len(groups) < 2:
        return []
    x = [float(row["mean_count"]) for row in groups]
    tokens = {"collaborative tokens": "collaborative_tokens", "semantic tokens": "semantic_tokens"}
    lines = [Line("alpha", x, [float(row["alpha"]) for row in groups], markers=True)]
    lines += [Line(label, x, [float(row[key]) for row in groups], markers=True) for label, key in tokens.items()]
    rank = found.get("rank_correlation")
    caption = "Means over tenths of the catalogue." + ("" if rank is None else f" Rank correlation {rank:.2f}.")
    return [line_chart("Alpha against popularity", lines, "training interactions of an item", caption, from_zero=True)]


def budget_chart(points: Sequence[Mapping[str, Any]], metric: str = "NDCG@10") -> Chart | None:
    """Quality against tokens per item.

    Args:
        points: `budget` (tokens per item), `value`, and `label` of the system, one per measured row.
        metric: what the values are.

    Returns:
        The chart, a line per system through the means over seeds; None with fewer than two budgets.
    """
    lines = []
    for label in dict.fromkeys(str(point.get("label", "")) for point in points):
        own = [point for point in points if str(point.get("label", "")) == label]
        budgets = sorted({float(point["budget"]) for point in own})
        means = [_mean([float(p["value"]) for p in own if float(p["budget"]) == budget]) for budget in budgets]
        lines.append(Line(label, budgets, means, markers=True))
    if len({x for line in lines for x in line.x}) < 2:
        return None
    return line_chart(f"{metric} against the budget", lines, "tokens per item", "Means over seeds.", from_zero=True)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def training_charts(figures: Mapping[str, Any]) -> list[Chart]:
    """Everything drawn from logs: validation first, then the curriculum, then the curves of each stage."""
    charts = validation_charts(figures.get("validation") or {})
    if (figures.get("curriculum_mix") or {}).get("share"):
        charts.append(mix_chart(figures["curriculum_mix"]))
    for stage, log in (figures.get("logs") or {}).items():
        charts += stage_charts(stage, log)
    drawn = [scaling_chart(figures.get("scaling") or []), budget_chart(figures.get("budget") or [])]
    return [*charts, *(chart for chart in drawn if chart is not None)]
