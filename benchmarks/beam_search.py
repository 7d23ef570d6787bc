"""How much faster is our trie beam search than transformers' `generate` with a prefix function?

Run: python benchmarks/beam_search.py [--prompts 32] [--length 100] [--items 12000] [--beams 10] [--out FILE]

A random Qwen3 of about 3 M parameters ranks a random catalogue of 4 x 256 codes. Both sides get the same
prompts, trie and fp32; best of `--repeats` runs, taken in turns. Equality is counted over the returned lists.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _origin import bench_origin
from torch import Tensor

from genrec.data.files import write_json
from genrec.decoding.beam import trie_beam_search
from genrec.decoding.trie import Trie
from genrec.llm.backbones import TinyConfig, build_tiny

LEVELS, CODES, TEXT_TOKENS = 4, 256, 2000


def make_case(options: argparse.Namespace) -> tuple[Any, Tensor, Tensor, Trie]:
    """Random model, left-padded prompts (B, T), their mask (B, T), and the trie of a random catalogue."""
    torch.manual_seed(0)
    width = options.width
    shape = TinyConfig(
        hidden_size=width, intermediate=4 * width, num_layers=options.layers, num_heads=4, num_kv_heads=4
    )
    tokens = TEXT_TOKENS + LEVELS * CODES
    model = build_tiny(shape, tokens).eval()
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(8)  # spread the probabilities, so that ties do not decide
    random = np.random.default_rng(0)
    codes = np.unique(random.integers(0, CODES, (options.items, LEVELS)), axis=0)
    trie = Trie.from_codes(codes + TEXT_TOKENS + CODES * np.arange(LEVELS))
    ids = torch.randint(0, tokens, (options.prompts, options.length))
    mask = torch.ones_like(ids)
    for row in range(0, options.prompts, 2):
        mask[row, : options.length // 4] = 0
    return model, ids, mask, trie


def children_table(trie: Trie) -> dict[tuple[int, ...], list[int]]:
    """Children of every prefix as plain lists: the fastest form for the peer, built outside the clock."""
    table: dict[tuple[int, ...], list[int]] = {}
    for path in trie.paths:
        symbols = trie.child_symbol[path - 1].tolist()
        for depth in range(LEVELS):
            prefix = tuple(symbols[:depth])
            if prefix not in table:
                table[prefix] = trie.children(prefix).tolist()
    return table


def peer_search(model: Any, ids: Tensor, mask: Tensor, table: dict[tuple[int, ...], list[int]], beams: int) -> Tensor:
    """Token ids (B * K, T + 4) by transformers' own beam search; its prefix function only looks up."""
    width = ids.shape[1]
    with torch.inference_mode():
        return model.generate(  # type: ignore[no-any-return]
            ids,
            attention_mask=mask,
            num_beams=beams,
            num_return_sequences=beams,
            max_new_tokens=LEVELS,
            do_sample=False,
            length_penalty=0.0,
            eos_token_id=None,
            pad_token_id=0,
            prefix_allowed_tokens_fn=lambda _, tokens: table[tuple(tokens[width:].tolist())],
        )


def as_items(sequences: Tensor, width: int, trie: Trie, beams: int) -> list[list[int]]:
    """Items (B, K) of generated sequences, -1 where a sequence is no item."""
    found = [trie.leaf_item(sequence[width:].tolist()) for sequence in sequences]
    items = [-1 if item is None else item for item in found]
    return [items[start : start + beams] for start in range(0, len(items), beams)]


def best_times(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Shortest wall time of each call in seconds; they take turns, so a busy machine hurts all alike."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - started)
    return best


def cases(seconds: dict[str, float]) -> list[dict[str, Any]]:
    """Each of our caches beside the peer, as the table of benchmarks shows them."""
    peer = seconds["peer"]
    return [
        {"case": name, "ours": round(value, 4), "peer": round(peer, 4), "ratio": round(peer / value, 2)}
        for name, value in seconds.items()
        if name != "peer"
    ]


def main() -> None:
    """Measure, print and write the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = {
        "prompts": 32,
        "length": 100,
        "items": 12_000,
        "beams": 10,
        "width": 192,
        "layers": 4,
        "repeats": 3,
    }
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path, default=Path("results/bench_beam_search.json"))
    options = parser.parse_args()
    model, ids, mask, trie = make_case(options)
    ours = trie_beam_search(model, ids, mask, trie, options.beams).items.tolist()
    table = children_table(trie)
    peer = as_items(peer_search(model, ids, mask, table, options.beams), ids.shape[1], trie, options.beams)
    seconds = best_times(
        {
            "tree cache": lambda: trie_beam_search(model, ids, mask, trie, options.beams, cache="tree"),
            "repeated cache": lambda: trie_beam_search(model, ids, mask, trie, options.beams, cache="repeat"),
            "peer": lambda: peer_search(model, ids, mask, table, options.beams),
        },
        options.repeats,
    )
    figures = {
        "what": "trie beam search of one batch of prompts; ratio: the peer's over ours",
        "unit": "s",
        "peer_name": "generate(num_beams, prefix_allowed_tokens_fn) of transformers",
        "cases": cases(seconds),
        "setting": {
            **{name: getattr(options, name) for name in numbers},
            "parameters": model.num_parameters(),
            "threads": torch.get_num_threads(),
        },
        "same_sets": sum(set(a) == set(b) for a, b in zip(ours, peer, strict=True)),
        "same_order": sum(a == b for a, b in zip(ours, peer, strict=True)),
        **bench_origin(),
    }
    print(json.dumps(figures, indent=2))
    write_json(options.out, figures)


if __name__ == "__main__":
    main()
