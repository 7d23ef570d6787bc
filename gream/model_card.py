"""What should a reader know before using a checkpoint? The README.md beside it, front matter included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from genrec.data.files import read_json, write_whole
from gream.recommend.folder import CATALOGUE, INDEX, MANIFEST

TAGS = ["recommendation", "generative-recommendation", "semantic-ids", "reasoning", "gream"]
CARD_COLUMNS = (
    "Recall@10", "NDCG@10", "Recall@10_unseen", "NDCG@10_unseen", "Pass@1", "Pass@mean",
    "format_rate", "n_users",
)  # fmt: skip


def write_model_card(
    folder: str | Path,
    rows: Sequence[Mapping[str, Any]] = (),
    *,
    dataset: Mapping[str, Any] | None = None,
    base_model: str | None = None,
    licence: str | None = None,
) -> Path:
    """Write README.md beside a checkpoint.

    Args:
        folder: A recommender folder.
        rows: Rows of metrics.json that judge this checkpoint; without any the card says so.
        dataset: Facts about the dataset (`name`, `users`, `items`, `interactions`); the name is taken from
            gream.json without it.
        base_model: Pretrained model the weights come from; from gream.json without it, left out when trained
            from scratch.
        licence: Licence of the weights; left out when unknown.

    Returns:
        Path of the card.

    Raises:
        ValueError: The folder is not a recommender folder.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise ValueError(f"'{folder}' holds no {MANIFEST}; write the card beside a folder of save_recommender")
    manifest = dict(read_json(folder / MANIFEST))
    config = dict(read_json(folder / "config.json"))
    facts = {"name": manifest.get("dataset", "unknown"), **dict(dataset or {})}
    base = base_model or base_of(str(manifest.get("base_model") or manifest.get("backbone") or ""))
    text = "\n".join([front_matter(facts["name"], base, rows, licence), _body(folder, manifest, config, facts, rows)])
    write_whole(folder / "README.md", text)
    return folder / "README.md"


def base_of(backbone: str) -> str | None:
    """Hub id of the pretrained model behind a backbone.

    Args:
        backbone: "tiny", "smollm2", a hub id or a folder.

    Returns:
        The id; None when the weights started from a config or their origin is a local folder.
    """
    known = {"smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct"}
    is_id = backbone.count("/") == 1 and not backbone.startswith((".", "/", "~"))
    return known.get(backbone, backbone if is_id else None)


def front_matter(
    dataset: str, base_model: str | None, rows: Sequence[Mapping[str, Any]] = (), licence: str | None = None
) -> str:
    """The YAML block that the hub reads.

    Args:
        dataset: Name of the dataset.
        base_model: Id of the pretrained model, if any.
        rows: Rows of metrics.json.
        licence: Licence of the weights, if known.

    Returns:
        The block between its `---` lines.
    """
    shown = [name for name in CARD_COLUMNS if any(name in row for row in rows) and name != "n_users"]
    block: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": "text-generation", "tags": TAGS}
    block |= {"license": licence} if licence else {}
    block |= {"base_model": base_model} if base_model else {}
    block |= {"datasets": [dataset], "metrics": shown or ["Recall@10", "NDCG@10", "Pass@1"]}
    return f"---\n{yaml.safe_dump(block, sort_keys=False, allow_unicode=True)}---\n"


def _body(
    folder: Path,
    manifest: Mapping[str, Any],
    config: Mapping[str, Any],
    dataset: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
) -> str:
    stage = manifest.get("stage", "saved")
    name = f"GREAM, stage {stage}, {dataset['name']}"
    counts = ", ".join(f"{value:,} {key}" for key, value in dataset.items() if isinstance(value, int))
    trained_on = f"{dataset['name']} ({counts})" if counts else str(dataset["name"])
    return f"""# {name}

A generative reasoning recommender ([arXiv 2510.20815](https://arxiv.org/abs/2510.20815)): it reads a
history of semantic item IDs and writes the next one, at once (direct mode) or after a chain of thought
(reasoning mode).
It recommends items of its own catalogue only, and knows nothing else.

## Use

```python
from gream import GreamRecommender

recommender = GreamRecommender.from_pretrained("path/to/this/folder")
for item in recommender.recommend(["<item id>", "<item id>"], k=5, mode="reasoning"):
    print(item.title, item.reason)
```

```bash
gream recommend --model path/to/this/folder --history "<item id or title>" --k 5 --mode direct
```

## What it is

| | |
|---|---|
| architecture | {config.get("model_type", "?")}, {config.get("num_hidden_layers", "?")} layers, \
width {config.get("hidden_size", "?")} |
| trained on | {trained_on} |
| stage | {stage} |
| index | `{manifest.get("index_hash", "?")}` ({INDEX}; loading with another index is an error) |
| seed | {manifest.get("seed", "?")} |

## Measured

{card_table(rows)}

## Limits

* Trained on the interactions of one dataset: its biases (popularity, position, who rates) are in the model.
* A chain is a generated text that led to the answer. It is not proof of why a person would like the item.
* An item that is not in `{CATALOGUE}` cannot be recommended until it has been given a code.
"""


def card_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of metrics.json as a small Markdown table; a plain sentence when there are none."""
    if not rows:
        return "Not judged yet: run `recipes/gream_eval.py` on the run this folder comes from."
    columns = [name for name in CARD_COLUMNS if any(name in row for row in rows)]
    lines = ["| mode | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for row in rows:
        cells = [_cell(row.get(name)) for name in columns]
        lines.append(f"| {row.get('mode', '')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
