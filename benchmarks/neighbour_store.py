"""Where should neighbours live: Parquet generations read whole, or LanceDB?

Run: python benchmarks/neighbour_store.py [--rows 20000] [--changed 0.01] [--out FILE]

LanceDB is no dependency of the project: `pip install lancedb` beforehand. Both hold the same vectors and lists.
Measured: a lookup of one row's neighbours (what serving asks for), opening the store, and writing a refresh in which a
share of the rows changed. LanceDB writes only these; ours writes a new generation.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _origin import bench_origin

from genrec.data.files import write_json
from llmrec.grasp.store import NeighbourStore, Side, publish

WIDTH, NEIGHBOURS = 384, 10


def side(rows: int, seed: int = 0) -> Side:
    """Random vectors and lists."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((rows, WIDTH)).astype(np.float32)
    lists = random.integers(0, rows, (rows, NEIGHBOURS))
    ids = [f"item {row}" for row in range(rows)]
    cosines = np.zeros((rows, NEIGHBOURS), np.float32)
    return Side(ids, ["0" * 64] * rows, vectors, np.ones(rows, dtype=bool), lists, cosines)


def timed(work: Callable[[], Any], repeats: int) -> float:
    """Median seconds of some work."""
    spent = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


def ours(content: Side, folder: Path, repeats: int) -> dict[str, float]:
    """Our three times and the size on disk."""
    small = side(2)
    publish(folder, {"items": content, "users": small}, {"encoder": "none", "k": NEIGHBOURS})
    store = NeighbourStore.open(folder)
    files = list((folder / store.generation).iterdir())
    found = {
        "megabytes": sum(file.stat().st_size for file in files) / 1e6,
        "lookup": timed(lambda: store.items.similar("item 77"), 20 * repeats),
        "open": timed(lambda: NeighbourStore.open(folder), repeats),
        "refresh": timed(lambda: publish(folder, {"items": content, "users": small}, {}), repeats),
    }
    return found


def lance(content: Side, folder: Path, changed: int, repeats: int) -> dict[str, float]:
    """LanceDB's three times and the size on disk."""
    import lancedb
    import pyarrow as pa

    def table(rows: range) -> Any:
        vectors = pa.FixedSizeListArray.from_arrays(content.vectors[rows.start : rows.stop].ravel(), WIDTH)
        lists = pa.array(content.neighbours[rows.start : rows.stop].tolist())
        return pa.table({"id": [content.ids[row] for row in rows], "vector": vectors, "neighbours": lists})

    opened = lancedb.connect(folder).create_table("items", table(range(len(content.ids))))
    opened.create_scalar_index("id")
    part = table(range(changed))

    def update() -> None:
        opened.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(part)

    found = {
        "lookup": timed(lambda: opened.search().where("id = 'item 77'").limit(1).to_list(), 20 * repeats),
        "open": timed(lambda: lancedb.connect(folder).open_table("items"), repeats),
    }
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    return {**found, "refresh": timed(update, repeats), "megabytes": size}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--changed", type=float, default=0.01, help="share of the rows that a refresh changes")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/bench_neighbour_store.json"))
    options = parser.parse_args()
    try:
        import lancedb
    except ImportError:
        print("neighbour_store: skipped, LanceDB is not installed (pip install lancedb)")
        return
    content, folder = side(options.rows), Path(tempfile.mkdtemp())
    try:
        mine = ours(content, folder / "ours", options.repeats)
        peer = lance(content, folder / "lance", int(options.changed * options.rows), options.repeats)
    finally:
        shutil.rmtree(folder)
    rounded = [{name: round(value, 6) for name, value in found.items()} for found in (mine, peer)]
    result = {
        "what": "lookup of one row's neighbours; ratio: LanceDB's time over ours",
        "unit": "s",
        "peer_name": f"LanceDB {lancedb.__version__}",
        "setting": {k: v for k, v in vars(options).items() if k != "out"},
        "all": {"ours": rounded[0], "peer": rounded[1]},
        "ours": rounded[0]["lookup"],
        "peer": rounded[1]["lookup"],
        "ratio": round(peer["lookup"] / mine["lookup"], 1),
        **bench_origin(),
    }
    write_json(options.out, result)
    print(f"ours {rounded[0]}\nLanceDB {rounded[1]}")


if __name__ == "__main__":
    main()
