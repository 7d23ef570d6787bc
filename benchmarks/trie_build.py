"""What do tries of 12 thousand to 10 million items cost? Build, save, map, mask, extend; a process for each size.

Run: python benchmarks/trie_build.py [--sizes 12000 100000 1000000 10000000] [--out FILE]

Codes are random: 4 levels of 256 codes up to 2 million items, of 1,024 above. The peer is a dictionary of prefixes
(Python lists of children), which many code bases use; it is built up to `--peer_items`, and so is a tree with 100 more
items (an extension costs as much as a build).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from _origin import bench_origin

from genrec.data.files import write_json
from genrec.decoding.expand import SubCatalogue
from genrec.decoding.trie import Trie

LEVELS = 4


def random_codes(items: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Different random codes (items, 4)."""
    width = 256 if items <= 2_000_000 else 1024
    random, found = np.random.default_rng(0), np.empty(0, dtype=np.int64)
    while len(found) < items:
        found = np.unique(np.concatenate([found, random.integers(0, width**LEVELS, items + items // 10)]))
    found = random.permutation(found)[:items]
    return np.stack([found // width**level % width for level in reversed(range(LEVELS))], axis=1).astype(np.int32)


def peer(codes: np.ndarray[Any, Any]) -> dict[tuple[int, ...], list[int]]:
    """Children of every prefix in a dictionary."""
    table: dict[tuple[int, ...], set[int]] = {}
    for code in codes.tolist():
        for depth in range(LEVELS):
            table.setdefault(tuple(code[:depth]), set()).add(code[depth])
    return {prefix: sorted(children) for prefix, children in table.items()}


def clock(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result of a call."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def peak_mib() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(items: int, with_peer: bool) -> dict[str, Any]:
    """Figures of one size."""
    codes = random_codes(items)
    before = peak_mib()
    build, trie = clock(lambda: Trie.from_codes(codes))
    row: dict[str, Any] = {"items": items, "nodes": trie.num_nodes, "build_s": build}
    row["peak_extra_mib"] = peak_mib() - before
    with tempfile.TemporaryDirectory() as folder:
        row["save_s"], path = clock(lambda: trie.save(Path(folder) / "trie"))
        row["file_mib"] = sum(file.stat().st_size for file in path.iterdir()) / 2**20
        row["load_s"], loaded = clock(lambda: Trie.load(path))
        row["first_lookup_s"], _ = clock(lambda: loaded.children(codes[0, :2].tolist()))
    mask = np.random.default_rng(1).random(items) < 0.1
    row["mask_of_a_tenth_s"], _ = clock(lambda: SubCatalogue.of(trie, mask))
    row["peak_mib"] = peak_mib()  # of the whole process, making the random codes included
    if with_peer:
        before_news = Trie.from_codes(codes[:-100])
        row["extend_by_100_s"], _ = clock(lambda: before_news.extended(codes[-100:]))
        row["peer_build_s"], _ = clock(lambda: peer(codes))
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in row.items()}


def beside(row: Mapping[str, Any]) -> dict[str, float]:
    """The peer's time, where it was measured."""
    if "peer_build_s" not in row:
        return {}
    return {"peer": row["peer_build_s"], "ratio": round(row["peer_build_s"] / row["build_s"], 2)}


def main() -> None:
    """Measure every size in a fresh process and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[12_000, 100_000, 1_000_000, 10_000_000])
    parser.add_argument("--peer_items", type=int, default=1_000_000)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path("results/bench_trie_build.json"))
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.one <= options.peer_items)))
        return
    rows = []
    for size in options.sizes:
        command = [sys.executable, __file__, "--one", str(size), "--peer_items", str(options.peer_items)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    figures = {
        "what": "building the trie of a catalogue; ratio: the peer's time over ours",
        "unit": "s",
        "peer_name": "a dictionary of prefixes",
        "cases": [
            {"case": f"{row['items']:,} items", "ours": row["build_s"], **beside(row)} for row in rows
        ],
        "setting": {"peer_items": options.peer_items},
        "sizes": rows,
        **bench_origin(),
    }  # fmt: skip
    write_json(options.out, figures)


if __name__ == "__main__":
    main()
