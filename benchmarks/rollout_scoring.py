"""How much faster is a batch of rollouts scored when equal prompts are read once and only completions multiplied?

Run: python benchmarks/rollout_scoring.py [--groups 16] [--size 8] [--prompt 200] [--completion 70] [--out FILE]

A random Qwen3 of about 2 M parameters makes forward and backward passes over groups of completions, as GRPO does:
with TRL's scoring, with the compact output head, and with the head and shared prompts. The same fp32 rows, runs in
turns, all raw times kept; equality of the log-probabilities is checked.
"""

from __future__ import annotations

import argparse
import statistics
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
from genrec.posttrain.shared_prompts import add_shared_prompts

WAYS = {"peer": [], "head": [add_compact_head], "ours": [add_compact_head, add_shared_prompts]}


def make_model(vocabulary: int, patches: list[Any]) -> Any:
    """The same random model, patched."""
    shape = TinyConfig(hidden_size=192, intermediate=720, num_layers=3, num_heads=6, num_kv_heads=3)
    model = build_tiny(shape, vocabulary)
    add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
    for patch in patches:
        patch(model)
    return model


def make_batch(options: argparse.Namespace) -> dict[str, torch.Tensor]:
    """Groups of completions behind their prompts, shuffled as TRL does."""
    draw = torch.Generator().manual_seed(0)
    prompts = torch.randint(0, options.vocabulary, (options.groups, options.prompt), generator=draw)
    rows = prompts.repeat_interleave(options.size, 0)[torch.randperm(options.groups * options.size, generator=draw)]
    ids = torch.cat([rows, torch.randint(0, options.vocabulary, (len(rows), options.completion), generator=draw)], 1)
    labels = ids.clone()
    labels[:, : options.prompt] = -100
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


def step(model: Any, batch: dict[str, torch.Tensor]) -> tuple[float, torch.Tensor]:
    """Seconds of a forward and backward pass, and the log-probabilities."""
    started = time.perf_counter()
    found = model(**batch, fused_lm_head=True).log_probs
    found.sum().backward()
    seconds = time.perf_counter() - started
    model.zero_grad()
    return seconds, found.detach()


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shape = {"groups": 16, "size": 8, "prompt": 200, "completion": 70, "vocabulary": 2200, "repeats": 5, "threads": 2}
    for name, default in shape.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path, default=Path("results/bench_rollout_scoring.json"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    batch, models = make_batch(options), {name: make_model(options.vocabulary, way) for name, way in WAYS.items()}
    runs: dict[str, list[float]] = {name: [] for name in WAYS}
    scores = {}
    for _ in range(options.repeats + 1):
        for name, model in models.items():
            seconds, scores[name] = step(model, batch)
            runs[name].append(round(seconds, 4))
    for name in ("head", "ours"):
        torch.testing.assert_close(scores[name], scores["peer"], atol=1e-3, rtol=1e-4)
    middle = {name: statistics.median(seconds[1:]) for name, seconds in runs.items()}
    result = {
        "what": "forward and backward pass over groups of completions; ratio: the peer's over ours",
        "unit": "s",
        "peer_name": f"scoring of TRL {trl.__version__}",
        "setting": {k: v for k, v in vars(options).items() if k != "out"},
        "raw": {name: seconds[1:] for name, seconds in runs.items()},
        **{name: round(seconds, 4) for name, seconds in middle.items()},
        "ratio": round(middle["peer"] / middle["ours"], 2),
        **bench_origin(),
    }
    write_json(options.out, result)
    print(f"TRL {middle['peer']:.2f} s, compact head {middle['head']:.2f} s, and shared prompts {middle['ours']:.2f} s")


if __name__ == "__main__":
    main()
