"""Is vLLM faster than `generate` for reasoning evaluation, and are the figures equal? One run, both engines.

Run: python benchmarks/vllm_reasoning.py --model runs/tiny_beauty/srpo [--users 256] [--samples 10] [--out FILE]

Both draw n chains per user behind the same prompts of the same checkpoint, with the items on the trie. vLLM runs with
the nucleus alone and with top-k before it (on a CPU the sort over the vocabulary takes most of its time). Beams: our
batched search against one round of scoring per level through vLLM. Histories are random items, or test users with
`--run_dir`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _origin import bench_origin

from genrec.data.files import write_json
from genrec.metrics.uncertainty import mean_ci, paired_bootstrap

TOP_KS = (0, 64)


def histories_of(options: argparse.Namespace, num_items: int) -> tuple[list[list[int]], list[int]]:
    """Histories and targets: test users of a run, or random ones (then hits mean nothing and form is compared)."""
    if options.run_dir:
        from gream.workspace import Workspace

        sample = Workspace(options.run_dir).split.test.sample(options.users, seed=0)
        return [[int(i) for i in history] for history in sample.histories], sample.targets.tolist()
    random = np.random.default_rng(0)
    lists = [random.integers(0, num_items, random.integers(2, 21)).tolist() for _ in range(options.users)]
    return lists, random.integers(0, num_items, options.users).tolist()


def chains(recommender: Any, case: tuple[list[list[int]], list[int]], options: argparse.Namespace) -> dict[str, Any]:
    """Tokens per second and figures of one engine; per-user values for the paired comparison."""
    from gream.recommend import SamplingConfig

    histories, targets = case
    config = SamplingConfig(0.7, 0.9, options.max_new_tokens, 0)
    recommender.sample_chains(histories[:2], 2, config)  # warm-up
    started = time.perf_counter()
    drawn = recommender.sample_chains(histories, options.samples, config, batch_size=options.batch)
    seconds = time.perf_counter() - started
    tokens = sum(s.num_tokens for user in drawn for s in user)
    form = [float(np.mean([s.format_ok for s in user])) for user in drawn]
    hits = [float(np.mean([s.format_ok and s.item == t for s in user])) for user, t in zip(drawn, targets, strict=True)]
    invalid = sum(s.item is None for user in drawn for s in user if s.answered)
    return {
        "seconds": round(seconds, 2), "tokens": tokens, "tokens_per_s": round(tokens / seconds, 1), "invalid": invalid,
        "format_rate": str(mean_ci(form)), "Pass@1": str(mean_ci(hits)), "values": {"form": form, "hits": hits},
    }  # fmt: skip


def clock(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result."""
    started = time.perf_counter()
    result = call()
    return round(time.perf_counter() - started, 3), result


def beams(recommender: Any, through: Any, histories: list[list[int]], width: int) -> dict[str, Any]:
    """Direct lists by our batched search and through the engine: seconds, and how many lists are the same."""
    ours_s, (ours, ours_scores) = clock(lambda: recommender.rank_direct(histories, width, width))
    theirs_s, (theirs, scores) = clock(lambda: through.rank_direct(histories, width, width))
    return {
        "own_s": ours_s, "engine_s": theirs_s, "ratio": round(theirs_s / ours_s, 2), "lists": len(histories),
        "same_lists": int((ours == theirs).all(axis=1).sum()),
        "largest_difference": float(np.abs(ours_scores - scores).max()),
    }  # fmt: skip


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("runs/tiny_beauty/srpo"))
    parser.add_argument("--run_dir", type=Path, help="take test users of this run")
    numbers = {"users": 256, "samples": 10, "max_new_tokens": 96, "batch": 320, "beam_users": 64, "beams": 10}
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path, default=Path("results/bench_vllm_reasoning.json"))
    options = parser.parse_args()
    from genrec.decoding.engines.vllm import VllmEngine
    from gream.recommend import GreamRecommender
    from gream.recommend.engine_runner import with_engine

    recommender = GreamRecommender.from_pretrained(options.model)
    case = histories_of(options, len(recommender.catalogue))
    results = {"transformers": chains(recommender, case, options)}
    engine = VllmEngine.open(str(options.model), max_model_len=512, seed=0)
    try:
        for top_k in TOP_KS:
            results[f"vllm, top-k {top_k or 'off'}"] = chains(
                with_engine(recommender, engine, "own", top_k), case, options
            )
        through = with_engine(recommender, engine, "engine")
        searched = beams(recommender, through, case[0][: options.beam_users], options.beams)
    finally:
        engine.close()
    peer = results["transformers"]
    compared = {}
    for name, result in results.items():
        pairs = {key: paired_bootstrap(result["values"][key], peer["values"][key]) for key in ("form", "hits")}
        compared[name] = {key: str(pair.difference) for key, pair in pairs.items()}
    for result in results.values():
        del result["values"]
    cases = [
        {"case": name, "ours": r["tokens_per_s"], "peer": peer["tokens_per_s"],
         "ratio": round(r["tokens_per_s"] / peer["tokens_per_s"], 2)}
        for name, r in results.items() if name != "transformers"
    ]  # fmt: skip
    figures = {
        "what": "chains drawn for evaluation; ratio: ours over the peer's", "unit": "tokens/s",
        "peer_name": "generate of transformers", "cases": cases, "engines": results,
        "differences_to_transformers": compared, "direct_beams": searched,
        "setting": {name: getattr(options, name) for name in numbers}, **bench_origin(),
    }  # fmt: skip
    print(json.dumps(figures, indent=2))
    write_json(options.out, figures)


if __name__ == "__main__":
    main()
