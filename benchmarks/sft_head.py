"""How much of a training step on a CPU does the compact output head save, against TRL's fused head?

Run: python benchmarks/sft_head.py [--rows 64] [--length 48] [--vocabulary 4000] [--out FILE]

A random Qwen3 of about 2 M parameters makes forward and backward passes in which half of the positions carry a label.
Both sides get the same rows in fp32; best of `--repeats`, taken in turns. Equality of the losses is checked.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch
import trl
from _origin import bench_origin
from trl.trainer.utils import add_fused_lm_head

from genrec.data.files import write_json
from genrec.llm.backbones import TinyConfig, build_tiny
from genrec.posttrain.compact_head import add_compact_head


def make_model(vocabulary: int, compact: bool) -> Any:
    """The same random model with TRL's head, and ours over it."""
    shape = TinyConfig(hidden_size=192, intermediate=576, num_layers=3, num_heads=6, num_kv_heads=3)
    model = build_tiny(shape, vocabulary)
    add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
    if compact:
        add_compact_head(model)
    return model


def step(model: Any, batch: dict[str, torch.Tensor]) -> tuple[float, float]:
    """Seconds of a forward and backward pass, and its loss."""
    started = time.perf_counter()
    loss = -model(**batch, fused_lm_head=True).log_probs.sum()
    loss.backward()
    seconds = time.perf_counter() - started
    model.zero_grad()
    return seconds, float(loss)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rows", 64), ("length", 48), ("vocabulary", 4000), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path, default=Path("results/bench_sft_head.json"))
    options = parser.parse_args()
    ids = torch.randint(0, options.vocabulary, (options.rows, options.length))
    labels = ids.clone()
    labels[:, : options.length // 2] = -100
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    models = {"ours": make_model(options.vocabulary, True), "peer": make_model(options.vocabulary, False)}
    runs = {name: [] for name in models}
    for _ in range(options.repeats + 1):
        for name, model in models.items():
            runs[name].append(step(model, batch))
    best = {name: min(seconds for seconds, _ in found[1:]) for name, found in runs.items()}
    losses = [found[0][1] for found in runs.values()]
    assert abs(losses[0] - losses[1]) < 1e-3 * abs(losses[1]), losses
    result = {
        "what": "forward and backward pass, half of the positions supervised; ratio: the peer's over ours",
        "unit": "s",
        "peer_name": f"fused head of TRL {trl.__version__}",
        "setting": {k: v for k, v in vars(options).items() if k != "out"},
        "ours": round(best["ours"], 4),
        "peer": round(best["peer"], 4),
        "ratio": round(best["peer"] / best["ours"], 2),
        **bench_origin(),
    }
    write_json(options.out, result)
    print(f"ours {best['ours']:.3f} s, TRL's head {best['peer']:.3f} s: {result['ratio']:.2f} times faster")


if __name__ == "__main__":
    main()
