"""How long is an epoch of SASRec with cross-entropy on Beauty, against RecBole 1.2.1 at equal threads in fp32?

Run: python benchmarks/sasrec_epoch.py --peer_python <RecBole's environment>/bin/python [--threads 2] [--repeats 5]
     python benchmarks/sasrec_epoch.py --peer_python ... --quality     (hours: RecBole trains to its end first)

RecBole does not import beside current numpy, so it needs an environment of its own:
    python -m venv recbole && recbole/bin/pip install torch==2.13.0 recbole==1.2.1 "numpy<2" "scipy<1.14" "pandas<2.3" \
        "setuptools<81" "ray[tune]<3" kmeans-pytorch thop
Both see every training target once per epoch, with the same shape (width 64, 2 layers, dropout 0.5, 50 items), and take
turns. `--bf16` adds our time in bf16, reported apart. Without `--peer_python` the benchmark says so and ends.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from _origin import bench_origin

from genrec.backbones.rank import evaluate_id_model
from genrec.backbones.sasrec import SASRec, SASRecConfig
from genrec.backbones.train import fit_id_model
from genrec.data import load_dataset
from genrec.data.files import write_json
from genrec.data.split import Split
from genrec.fit.config import FitConfig
from genrec.fit.loop import fit
from genrec.metrics.ranking import ndcg_at_k

DRIVER = Path(__file__).with_name("_recbole_epoch.py")
SHAPE = SASRecConfig(width=64, num_layers=2, num_heads=2, dropout=0.5, max_history=50)


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer_python", type=Path, help="python of RecBole's environment")
    parser.add_argument("--threads", type=int, default=2, help="threads of both sides")
    parser.add_argument("--repeats", type=int, default=5, help="epochs of each side, in turns")
    parser.add_argument("--bf16", action="store_true", help="also time ours in bf16")
    parser.add_argument("--quality", action="store_true", help="also the time to RecBole's final quality")
    parser.add_argument("--out", type=Path, default=Path("results/bench_sasrec_epoch.json"))
    return parser.parse_args()


def write_inter(folder: Path, histories: list[Any]) -> None:
    """Beauty as RecBole reads it; the position stands for the time."""
    rows = [f"{user}\t{item}\t{place}" for user, own in enumerate(histories) for place, item in enumerate(own)]
    (folder / "Beauty").mkdir()
    header = "user_id:token\titem_id:token\ttimestamp:float"
    (folder / "Beauty" / "Beauty.inter").write_text("\n".join([header, *rows, ""]))


def peer(python: Path, folder: Path, threads: int, mode: str) -> dict[str, Any]:
    """One run of RecBole."""
    command = [str(python), str(DRIVER), str(folder), str(threads), mode]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def our_epoch(split: Split, num_items: int, precision: str = "no") -> float:
    """Seconds of one epoch of ours, validation left out."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    model, config = (
        SASRec(num_items, SHAPE, seed=0),
        FitConfig(epochs=1, batch_size=128, learning_rate=3e-3, patience=0),
    )
    one_user = Split(split.train, split.valid.sample(1), split.test, split.kind)
    started = time.perf_counter()
    fit_id_model(model, one_user, config, accelerator=Accelerator(mixed_precision=precision))
    return time.perf_counter() - started


def time_to_quality(split: Split, num_items: int, goal: float) -> dict[str, Any]:
    """Seconds of ours, validation included, until NDCG@10 without the history reaches a goal on validation users."""
    model, reached = SASRec(num_items, SHAPE, seed=0), {}
    config = FitConfig(epochs=12, batch_size=128, learning_rate=3e-3, schedule="cosine", warmup_ratio=0.1, patience=0)
    windows, started = model.windows(split.train), time.perf_counter()

    def validate() -> dict[str, float]:
        score = ndcg_at_k(evaluate_id_model(model, split.valid, exclude_history=True), 10)
        if score >= goal and not reached:
            reached.update({"seconds": time.perf_counter() - started, "NDCG@10_unseen": score})
        return {"NDCG@10": score}

    fit(model, windows, model.collator(), validate, config, lengths=[len(window) for window in windows])
    return reached


def main() -> None:
    """Measure and write the result."""
    asked = options()
    if asked.peer_python is None or not asked.peer_python.is_file():
        print("sasrec_epoch: skipped, --peer_python names no RecBole environment (see --help)")
        return
    torch.set_num_threads(asked.threads)
    dataset = load_dataset("amazon_beauty_2014")
    split, runs = dataset.split("leave_one_out"), {"ours": [], "peer": []}
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inter(folder, dataset.histories)
        for _ in range(asked.repeats):
            runs["ours"].append(our_epoch(split, dataset.num_items))
            runs["peer"].append(peer(asked.peer_python, folder, asked.threads, "epoch")["seconds"])
        if asked.quality:
            result["peer_final"] = peer(asked.peer_python, folder, asked.threads, "quality")
            result["ours_to_quality"] = time_to_quality(split, dataset.num_items, result["peer_final"]["valid"])
    if asked.bf16:
        result["ours_bf16"] = [round(our_epoch(split, dataset.num_items, "bf16"), 2) for _ in range(asked.repeats)]
    middle = {side: statistics.median(seconds) for side, seconds in runs.items()}
    result |= {
        "what": "one epoch of SASRec with cross-entropy on Beauty, fp32, same shape and threads, median of turns",
        "unit": "s",
        "peer_name": "RecBole 1.2.1",
        "setting": {"threads": asked.threads, "repeats": asked.repeats, "width": 64, "layers": 2, "max_history": 50},
        "runs": {side: [round(value, 2) for value in seconds] for side, seconds in runs.items()},
        "ours": round(middle["ours"], 2),
        "peer": round(middle["peer"], 2),
        "ratio": round(middle["peer"] / middle["ours"], 2),
        **bench_origin(),
    }
    write_json(asked.out, result)
    print(f"ours {result['ours']} s, RecBole {result['peer']} s: {result['ratio']} times shorter")


if __name__ == "__main__":
    main()
