"""How much faster does our sampler draw completions than `generate`, with the same model and settings?

Run: python benchmarks/sampling.py [--rows 64] [--tokens 96] [--vocabulary 4000] [--out FILE]

A random Qwen3 of about 2 M parameters continues prompts of 60 tokens at temperature 0.7 and top-p 0.9. An end token is
drawn with about the frequency that makes chains of 70 tokens of at most 96. Peer: `generate` of transformers, its
documented defaults for sampling, same threads and fp32; best of `--repeats`, taken in turns.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from _origin import bench_origin
from transformers import GenerationConfig

from genrec.data.files import write_json
from genrec.decoding.sampling import SampleSettings, sample_completions
from genrec.llm.backbones import TinyConfig, build_tiny

PAD = 0


def make_model(vocabulary: int) -> Any:
    """A random model of the shape of the `tiny` backbone."""
    shape = TinyConfig(hidden_size=192, intermediate=576, num_layers=3, num_heads=6, num_kv_heads=3)
    return build_tiny(shape, vocabulary).eval()


def ours(model: Any, ids: torch.Tensor, ends: list[int], options: argparse.Namespace, seed: int) -> tuple[float, float]:
    """Seconds and drawn tokens of our sampler."""
    settings = SampleSettings(options.tokens, tuple(ends), PAD, 0.7, 0.9)
    started = time.perf_counter()
    drawn = sample_completions(model, ids, torch.ones_like(ids), settings, seed=seed)
    return time.perf_counter() - started, float(drawn.real.sum())


@torch.inference_mode()
def peer(model: Any, ids: torch.Tensor, ends: list[int], options: argparse.Namespace, seed: int) -> tuple[float, float]:
    """Seconds and drawn tokens of `generate`; what it writes behind an end token is padding and not counted."""
    torch.manual_seed(seed)
    config = GenerationConfig(
        do_sample=True, temperature=0.7, top_p=0.9, top_k=0, max_new_tokens=options.tokens, eos_token_id=ends,
        pad_token_id=PAD,
    )  # fmt: skip
    started = time.perf_counter()
    drawn = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config)
    seconds = time.perf_counter() - started
    new = drawn[:, ids.shape[1] :]
    ended = torch.isin(new, torch.tensor(ends)).long()
    return seconds, float((ended.cumsum(1) - ended == 0).sum())


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rows", 64), ("tokens", 96), ("vocabulary", 4000), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path, default=Path("results/bench_sampling.json"))
    options = parser.parse_args()
    model = make_model(options.vocabulary)
    ids = torch.randint(1, options.vocabulary, (options.rows, 60), generator=torch.Generator().manual_seed(0))
    ends = list(range(1, 1 + max(1, options.vocabulary // 90)))  # a random model draws one of them every 90 tokens
    sides, runs = {"ours": ours, "peer": peer}, {"ours": [], "peer": []}
    for seed in range(options.repeats + 1):
        for name, side in sides.items():
            seconds, tokens = side(model, ids, ends, options, seed)
            if seed:  # the first of each warms up
                runs[name].append(tokens / seconds)
    best = {name: max(rates) for name, rates in runs.items()}
    result = {
        "what": "completions sampled at temperature 0.7 and top-p 0.9; ratio: our tokens per second over the peer's",
        "unit": "tokens/s",
        "peer_name": f"generate of transformers {transformers.__version__}",
        "setting": {k: v for k, v in vars(options).items() if k != "out"},
        "ours": round(best["ours"], 1),
        "peer": round(best["peer"], 1),
        "ratio": round(best["ours"] / best["peer"], 2),
        "runs": {name: [round(rate, 1) for rate in rates] for name, rates in runs.items()},
        **bench_origin(),
    }
    write_json(options.out, result)
    print(f"ours {best['ours']:.0f} tokens/s, generate {best['peer']:.0f}: {result['ratio']:.2f} times faster")


if __name__ == "__main__":
    main()
