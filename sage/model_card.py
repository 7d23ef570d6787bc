"""What should a reader know before using a SAGE checkpoint? The README.md beside it, front matter included."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from genrec.data.files import write_whole
from genrec.metrics.report.text import in_markdown

BASES = {"smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct"}


def write_model_card(folder: str | Path, manifest: Mapping[str, Any]) -> Path:
    """Write README.md beside a checkpoint.

    Args:
        folder: a recommender folder.
        manifest: content of sage.json.

    Returns:
        Path of the card.
    """
    path = Path(folder) / "README.md"
    write_whole(path, f"---\n{yaml.safe_dump(_front(manifest), sort_keys=False)}---\n{_body(manifest)}")
    return path


def _front(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The block that the hub reads."""
    backbone = str(manifest.get("backbone", ""))
    base = BASES.get(backbone, backbone if backbone.count("/") == 1 and not backbone.startswith((".", "/")) else None)
    block: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": "text-generation"}
    block["tags"] = ["recommendation", "generative-recommendation", "cold-start", "sage"]
    block |= {"base_model": base} if base else {}
    return block | {"datasets": [str(manifest.get("dataset", "unknown"))], "metrics": ["Recall@10", "NDCG@10"]}


def _body(manifest: Mapping[str, Any]) -> str:
    """What it is, how to use it, its limits."""
    names = (
        "stage",
        "vocabulary",
        "dataset",
        "backbone",
        "encoder",
        "max_history",
        "metric",
        "before",
        "after",
        "steps",
    )
    facts = "\n".join(f"| {name} | {in_markdown(manifest[name])} |" for name in names if name in manifest)
    return f"""
# SAGE on {in_markdown(manifest.get("dataset", "unknown"))}

A language model that recommends items by writing their names, in tokens that the tokenizer already has.

```python
from sage.recommend import SageRecommender

recommender = SageRecommender.from_pretrained("path/to/this/folder")
for item in recommender.recommend(["<item id>", "<item id>"], k=5, diversity=0.3):
    print(item.title, item.score)
```

| fact | value |
|---|---|
{facts}

`with_items` adds new items by their texts, without training. The model lists items of its catalogue only; it repeats
the biases of the interactions it was trained on (popularity, position, who rates).
"""
