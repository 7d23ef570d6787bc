"""Does our RQ-KMeans reconstruct as well as faiss's ResidualQuantizer, and how much sooner?

Run: python benchmarks/rq_kmeans.py [--data toy|<name>|<folder>] [--encoder hash|minilm|...] [--levels 4]
[--bits 8]

Both sides train on the same vectors at the same shape and give a code tuple to every item; seconds cover
training and encoding. The peer runs with its defaults (beam search of width 5); ours encodes greedily.
The error is the mean squared distance between vectors and reconstruction; its ratio is ours over the peer's, that of
the seconds the peer's over ours.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from _origin import bench_origin

from genrec.data import load_dataset
from genrec.data.files import write_json
from genrec.fetch import cache_folder
from genrec.llm.encoders import load_encoder
from genrec.sid.rq_kmeans import fit_rq_kmeans, reconstruction_error

WHAT = "RQ-KMeans against faiss at its defaults; ratio: the peer's seconds over ours, our error over the peer's"
Vectors = np.ndarray[Any, np.dtype[np.float32]]


def load_vectors(options: argparse.Namespace) -> Vectors:
    """Vectors (n, d): from a file, or the encoded texts or titles of a dataset."""
    if options.embeddings:
        return np.load(options.embeddings).astype(np.float32)
    catalogue = load_dataset(options.data).catalogue
    texts = catalogue.titles if options.field == "titles" else catalogue.texts()
    return load_encoder(options.encoder, cache_folder() / "embeddings").encode(texts)


def ours(vectors: Vectors, levels: int, bits: int) -> Vectors:
    """Reconstruction (n, d) by `fit_rq_kmeans`."""
    quantiser = fit_rq_kmeans(vectors, levels, 2**bits)
    return quantiser.reconstruct(quantiser.fitted_codes)


def peer(vectors: Vectors, levels: int, bits: int) -> Vectors:
    """Reconstruction (n, d) by faiss at its defaults."""
    quantiser = faiss.ResidualQuantizer(vectors.shape[1], levels, bits)
    quantiser.cp.min_points_per_centroid = 1
    if len(vectors) < vectors.shape[1]:  # its progressive training wants a PCA of full rank
        quantiser.train_type = faiss.ResidualQuantizer.Train_default
    quantiser.train(vectors)
    return quantiser.decode(quantiser.compute_codes(vectors))


def measure(run: Callable[[Vectors, int, int], Vectors], vectors: Vectors, levels: int, bits: int) -> dict[str, float]:
    """Seconds and error of one side."""
    started = time.perf_counter()
    reconstruction = run(vectors, levels, bits)
    seconds = time.perf_counter() - started
    return {"seconds": round(seconds, 3), "error": round(reconstruction_error(vectors, reconstruction), 6)}


def cases(ours: dict[str, float], peer: dict[str, float]) -> list[dict[str, Any]]:
    """Both figures of both sides, as the table of benchmarks shows them."""
    names = {"seconds": ("training and encoding", "s"), "error": ("reconstruction error", "mean squared distance")}
    ratios = {"seconds": round(peer["seconds"] / ours["seconds"], 2), "error": round(ours["error"] / peer["error"], 4)}
    return [
        {"case": name, "unit": unit, "ours": ours[key], "peer": peer[key], "ratio": ratios[key]}
        for key, (name, unit) in names.items()
    ]


def main() -> None:
    """Measure both sides, print and write the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="toy", help="dataset by name or folder")
    parser.add_argument("--field", default="texts", choices=("texts", "titles"), help="what is encoded")
    parser.add_argument("--encoder", default="hash", help="text encoder")
    parser.add_argument("--embeddings", type=Path, help="a .npy file of vectors instead of a dataset")
    parser.add_argument("--levels", type=int, default=4)
    parser.add_argument("--bits", type=int, default=8, help="log2 of the codebook size; lowered for few items")
    parser.add_argument("--out", type=Path, default=Path("results/bench_rq_kmeans.json"))
    options = parser.parse_args()
    vectors = load_vectors(options)
    bits = min(options.bits, max(1, int(np.log2(len(vectors) / 4))))
    sides = [measure(run, vectors, options.levels, bits) for run in (ours, peer)]
    figures = {
        "what": WHAT,
        "peer_name": "faiss.ResidualQuantizer",
        "cases": cases(*sides),
        "setting": {
            "data": options.embeddings.name if options.embeddings else Path(options.data).name,
            "field": options.field,
            "encoder": options.encoder,
            "vectors": list(vectors.shape),
            "levels": options.levels,
            "codebook_size": 2**bits,
            "threads": faiss.omp_get_max_threads(),
        },
        **bench_origin(),
    }
    print(json.dumps(figures, indent=2))
    write_json(options.out, figures)


if __name__ == "__main__":
    main()
