"""Does our RQ-KMeans reconstruct as well as faiss's ResidualQuantizer, and how much sooner?

Run: python benchmarks/rq_kmeans.py [--data toy|<name>|<folder>] [--encoder hash|minilm|...] [--levels 4]
[--bits 8]

Both sides train on the same vectors at the same shape and give a code tuple to every item; seconds cover
training and encoding. The peer runs with its defaults (beam search of width 5); ours encodes greedily.
`error` is the mean squared distance between vectors and reconstruction, `error_ratio` ours over the peer's,
`ratio` the peer's seconds over ours.
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

from genrec.data import load_dataset
from genrec.data.files import write_json
from genrec.fetch import cache_folder
from genrec.llm.encoders import load_encoder
from genrec.run.provenance import git_revision, hardware, library_versions
from genrec.sid.rq_kmeans import fit_rq_kmeans, reconstruction_error

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
    sides = {name: measure(run, vectors, options.levels, bits) for name, run in (("ours", ours), ("peer", peer))}
    figures = {
        "what": "RQ-KMeans against faiss.ResidualQuantizer",
        "case": {
            "data": options.embeddings.name if options.embeddings else Path(options.data).name,
            "field": options.field,
            "encoder": options.encoder,
            "vectors": list(vectors.shape),
            "levels": options.levels,
            "codebook_size": 2**bits,
            "threads": faiss.omp_get_max_threads(),
        },
        **sides,
        "ratio": round(sides["peer"]["seconds"] / sides["ours"]["seconds"], 2),
        "error_ratio": round(sides["ours"]["error"] / sides["peer"]["error"], 4),
        "machine": hardware(),
        "versions": library_versions(),
        "revision": git_revision(),
    }
    print(json.dumps(figures, indent=2))
    write_json(options.out, figures)


if __name__ == "__main__":
    main()
