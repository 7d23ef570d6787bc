"""How much does GRASP add to a request, at 100 events of history and width 64?

Run: python benchmarks/grasp_latency.py [--items 12101] [--threads 1] [--repeats 5] [--out FILE]

Plain SASRec and GRASP around it score the whole catalogue for one user at a time, in turns; weights are random, which
changes no cost. Text features are looked up, as when serving: nothing is encoded and no neighbour is searched.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from _origin import bench_origin

from genrec.backbones.sasrec import SASRec, SASRecConfig
from genrec.data.files import write_json
from llmrec.grasp.features import TextFeatures
from llmrec.grasp.model import Grasp

USERS, TEXT = 1000, 128


def models(items: int, length: int, width: int) -> dict[str, SASRec | Grasp]:
    """The plain backbone and GRASP around the same."""
    torch.manual_seed(0)
    shape = SASRecConfig(width=width, max_history=length)
    sizes = {"items": items, "similar_items": items, "users": USERS, "similar_users": USERS}
    tables = {name: torch.randn(size, TEXT) / TEXT**0.5 for name, size in sizes.items()}
    features = TextFeatures(tables, torch.zeros(USERS, 10, dtype=torch.int64))
    return {"peer": SASRec(items, shape).eval(), "ours": Grasp(SASRec(items, shape), features).eval()}


def seconds(model: SASRec | Grasp, histories: list[np.ndarray]) -> float:
    """Median seconds of a request."""
    spent = []
    for user, history in enumerate(histories):
        started = time.perf_counter()
        with torch.inference_mode():
            asked = model.score_users(np.array([user]), [history]) if isinstance(model, Grasp) else None
            scores = model.score_histories([history]) if asked is None else asked
            scores.topk(10)
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = (("items", 12101), ("length", 100), ("width", 64), ("threads", 1), ("requests", 200), ("repeats", 5))
    for name, default in defaults:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path, default=Path("results/bench_grasp_latency.json"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    random = np.random.default_rng(0)
    histories = [random.integers(0, options.items, options.length) for _ in range(options.requests)]
    runs: dict[str, list[float]] = {"ours": [], "peer": []}
    both = models(options.items, options.length, options.width)
    for _ in range(options.repeats + 1):
        for name, model in both.items():
            runs[name].append(1000 * seconds(model, histories))
    middle = {name: statistics.median(found[1:]) for name, found in runs.items()}  # the first round warms up
    result = {
        "what": "one request through GRASP around SASRec, against the plain SASRec; ratio: the plain one's over ours",
        "unit": "ms",
        "peer_name": "plain SASRec of this project",
        "setting": {k: v for k, v in vars(options).items() if k != "out"},
        "runs": {name: [round(value, 3) for value in found[1:]] for name, found in runs.items()},
        "ours": round(middle["ours"], 3),
        "peer": round(middle["peer"], 3),
        "added": round(middle["ours"] - middle["peer"], 3),
        "ratio": round(middle["peer"] / middle["ours"], 2),
        **bench_origin(),
    }
    write_json(options.out, result)
    print(f"plain {middle['peer']:.3f} ms, GRASP {middle['ours']:.3f} ms: {result['added']:.3f} ms more")


if __name__ == "__main__":
    main()
