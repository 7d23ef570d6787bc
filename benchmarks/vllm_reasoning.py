"""Is vLLM faster than transformers for reasoning evaluation, and are the figures equal? One run, all engines.

Run: python benchmarks/vllm_reasoning.py --model runs/tiny_beauty/srpo [--users 256] [--samples 10] [--out FILE]

All draw n chains per user behind the same prompts of the same checkpoint, with the items on the trie:

* transformers, generate: `generate` of the library with our logits processors, over `--round_users` users;
* transformers: the sampler of `genrec.decoding.sampling` over a transformers model;
* vllm, processor: chain and item in one request, constraint and draw in a logits processor inside vLLM (what we use);
* vllm, rounds: vLLM samples the chain, the item comes level by level from `allowed_token_ids` and named
  log-probabilities; with vLLM's nucleus alone and with top-k before it; over `--round_users` users.

Beams: our batched search against one round of scoring per level through vLLM. Where the time goes: one step of drawing
for 256 rows, by vLLM's sort and by ours, for this vocabulary and for 50,000 rows. Histories are random items, or test
users with `--run_dir`. On a CPU these figures say which setting is not the slower one; the claim that vLLM is fast
belongs to GPUs.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _origin import bench_origin

from genrec.data.files import write_json
from genrec.metrics.uncertainty import mean_ci, paired_bootstrap

TOP_KS = (0, 64)
ROWS, LARGE_VOCABULARY = 256, 50_000
SPREAD = 5.0  # standard deviation of the logits: a few dozen tokens hold the nucleus, as behind a trained model


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


def drawing(vocabulary: int) -> dict[str, float]:
    """Milliseconds of one draw for `ROWS` rows: vLLM's nucleus with a seed per row and without, and ours."""
    import torch
    from vllm.v1.sample.ops.topk_topp_sampler import apply_top_k_top_p, random_sample

    from genrec.decoding.sampling import nucleus_pick

    logits = SPREAD * torch.randn(ROWS, vocabulary, generator=torch.Generator().manual_seed(0))
    top_p, top_k = torch.full((ROWS,), 0.9), torch.full((ROWS,), 64)
    seeds = {row: torch.Generator().manual_seed(row) for row in range(ROWS)}
    uniform = torch.rand(ROWS)
    calls: dict[str, Callable[[], Any]] = {
        "vllm top-p": lambda: random_sample(apply_top_k_top_p(logits.clone(), None, top_p).softmax(-1), {}),
        "vllm top-p, seeds": lambda: random_sample(apply_top_k_top_p(logits.clone(), None, top_p).softmax(-1), seeds),
        "vllm top-k 64 and top-p": lambda: random_sample(
            apply_top_k_top_p(logits.clone(), top_k, top_p).softmax(-1), {}
        ),
        "ours": lambda: nucleus_pick(logits.clone(), 0.9, uniform),
    }
    return {name: round(1000 * min(clock(call)[0] for _ in range(5)), 1) for name, call in calls.items()}


def through_vllm(recommender: Any, case: Any, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Chains by the processor and by rounds, each in an engine of its own; and beams both ways."""
    os.environ.setdefault("VLLM_CPU_NUM_OF_RESERVED_CPU", "0")  # vLLM leaves a core free otherwise; the others do not
    from _vllm_rounds import through_rounds
    from vllm import LLM

    from genrec.decoding.engines.vllm import VllmEngine
    from gream.recommend.engine_runner import with_engine

    results, limits = {}, {"max_model_len": 512, "max_num_seqs": options.rows, "max_num_batched_tokens": 4096}
    engine = VllmEngine.open(str(options.model), recommender.runner.constraint, **limits)
    try:
        results["vllm, processor"] = chains(with_engine(recommender, engine), case, options)
        through = with_engine(recommender, engine, "engine")
        searched = beams(recommender, through, case[0][: options.beam_users], options.beams)
    finally:
        engine.close()
    plain = LLM(str(options.model), dtype="float32", enforce_eager=True, enable_chunked_prefill=False, **limits)
    try:
        for top_k in TOP_KS:
            name = "vllm, rounds" + (f", top-k {top_k}" if top_k else "")
            part = tuple(values[: options.round_users] for values in case)
            results[name] = chains(through_rounds(recommender, plain, top_k), part, options)
    finally:
        plain.llm_engine.engine_core.shutdown()
    return results, searched


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("runs/tiny_beauty/srpo"))
    parser.add_argument("--run_dir", type=Path, help="take test users of this run")
    numbers = {"users": 256, "samples": 10, "max_new_tokens": 96, "batch": 320, "rows": 256, "round_users": 64,
               "beam_users": 64, "beams": 10}  # fmt: skip
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path, default=Path("results/bench_vllm_reasoning.json"))
    options = parser.parse_args()
    from _generate_runner import through_generate

    from gream.recommend import GreamRecommender

    recommender = GreamRecommender.from_pretrained(options.model)
    case = histories_of(options, len(recommender.catalogue))
    part = (case[0][: options.round_users], case[1][: options.round_users])
    results = {
        "transformers": chains(recommender, case, options),
        "transformers, generate": chains(through_generate(recommender), part, options),
    }
    more, searched = through_vllm(recommender, case, options)
    results |= more
    peer = results["transformers"]
    compared = {}
    for name, result in (item for item in results.items() if item[1] is not peer):
        values, others = result["values"], peer["values"]
        pairs = {key: paired_bootstrap(mine, others[key][: len(mine)]) for key, mine in values.items()}
        compared[name] = {key: str(pair.difference) for key, pair in pairs.items()}
    for result in results.values():
        del result["values"]
    cases = [
        {"case": name, "ours": r["tokens_per_s"], "peer": peer["tokens_per_s"],
         "ratio": round(r["tokens_per_s"] / peer["tokens_per_s"], 2)}
        for name, r in results.items() if r is not peer
    ]  # fmt: skip
    vocabulary = int(recommender.runner.model.get_output_embeddings().weight.shape[0])
    figures = {
        "what": "chains and items drawn for evaluation; ratio: this engine over our sampler on transformers; on a CPU, "
        "no claim about GPUs", "unit": "tokens/s",
        "peer_name": "genrec.decoding.sampling on transformers", "cases": cases, "engines": results,
        "differences_to_transformers": compared, "direct_beams": searched,
        "ms_to_draw_256_rows": {f"{size} output rows": drawing(size) for size in (vocabulary, LARGE_VOCABULARY)},
        "setting": {name: getattr(options, name) for name in numbers}, **bench_origin(),
    }  # fmt: skip
    print(json.dumps(figures, indent=2))
    write_json(options.out, figures)


if __name__ == "__main__":
    main()
