"""How many seconds does CoRec add to a training step of its backbone?

Run: python benchmarks/corec_step.py [--dataset amazon_beauty_2014] [--steps 20] [--threads 1] [--out FILE]

The same batches go through the plain backbone and through CoRec around it, in turns, forward and backward. Recommending
costs the same in both: CoRec's parts are used in training only.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from _origin import bench_origin

from genrec.data import load_dataset
from genrec.data.files import write_json
from llmrec.backbones import MODELS, SHAPES, make_backbone
from llmrec.corec.config import CoRecConfig
from llmrec.corec.interests import learn_interests
from llmrec.corec.model import CoRec
from llmrec.enriched import EnrichedModel


def step(model: EnrichedModel, windows: list[Any]) -> float:
    """Seconds of collating, forward and backward pass."""
    started = time.perf_counter()
    model.loss(model.collator()(windows))["loss"].sum().backward()
    spent = time.perf_counter() - started
    model.zero_grad()
    return spent


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="movielens_100k", help="as the recipes take it")
    for name, default in (("steps", 20), ("batch", 128), ("threads", 1), ("clusters", 32)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path, default=Path("results/bench_corec_step.json"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dataset = load_dataset(options.dataset)
    train = dataset.split("leave_one_out").train
    interests = learn_interests(train, dataset.num_items, options.clusters)
    found: dict[str, dict[str, float]] = {}
    for kind in MODELS:
        shape = SHAPES[kind](width=64, max_history=50)
        plain = EnrichedModel(make_backbone(kind, dataset.num_items, shape, 0)).train()
        ours = CoRec(make_backbone(kind, dataset.num_items, shape, 0), interests, CoRecConfig()).train()
        windows, spent = plain.windows(train), {"peer": [], "ours": []}
        for number in range(options.steps + 1):
            some = windows[number * options.batch : (number + 1) * options.batch] or windows[: options.batch]
            for name, model in (("peer", plain), ("ours", ours)):
                spent[name].append(step(model, some))
        found[kind] = {name: round(statistics.median(values[1:]), 4) for name, values in spent.items()}
    sasrec = found["sasrec"]
    result = {
        "what": "one training step of CoRec around SASRec against the plain SASRec; ratio: the plain one's over ours",
        "unit": "s",
        "peer_name": "plain SASRec of this project",
        "setting": {k: v for k, v in vars(options).items() if k != "out"},
        "backbones": found,
        **sasrec,
        "ratio": round(sasrec["peer"] / sasrec["ours"], 2),
        **bench_origin(),
    }
    write_json(options.out, result)
    print("\n".join(f"{kind}: plain {s['peer']:.3f} s, CoRec {s['ours']:.3f} s" for kind, s in found.items()))


if __name__ == "__main__":
    main()
