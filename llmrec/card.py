"""What should a reader of a checkpoint's folder know? Data, settings, figures, limits, in its README.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genrec.data.files import read_json, write_whole
from genrec.metrics.report.text import in_markdown

SHOWN = ("Recall@10", "NDCG@10", "Recall@10_unseen", "NDCG@10_unseen")


def write_card(folder: Path, loads_with: str) -> Path:
    """Write the model card of a trained model from its run's metrics.json, whose last row is the model.

    Args:
        folder: of the checkpoint, `<run_dir>/train`.
        loads_with: the call that reads the checkpoint of the system itself; baselines say which class wrote them.

    Returns:
        Path of the card.
    """
    metrics: Mapping[str, Any] = read_json(folder.parent / "metrics.json")
    facts = read_json(folder / "enriched.json") if (folder / "enriched.json").is_file() else {}
    if facts.get("enrichment") not in ("grasp", "corec"):
        loads_with = "load_state_dict of the class that the row names"
    row, data, origin = metrics["rows"][-1], metrics["dataset"], metrics["provenance"]
    lines = [
        f"# {in_markdown(row['system'])} on {in_markdown(data['name'])}",
        "",
        f"Trained on {data['users']:,} users, {data['items']:,} items and {data['interactions']:,} interactions; "
        f"{metrics['protocol']['split']}. Ranks the whole catalogue.",
        "",
        *(f"* {name}: {row[name]:.4f}" for name in SHOWN if row.get(name) is not None),
        "",
        f"Load with `{loads_with}`. Revision {origin['revision']}; the run's report holds settings and versions.",
        "",
        "It knows the items of its training catalogue only, and reflects what was bought together there, with the "
        "biases of that shop. Not for decisions about people.",
        "",
    ]
    write_whole(folder / "README.md", "\n".join(lines))
    return folder / "README.md"
