"""How does a vector become a short tuple of codes? Residual quantisation with k-means (RQ-KMeans).

`R^(1) = e`; per level `s_l = argmin_k |R^(l) - c_k|` and `R^(l+1) = R^(l) - c_{s_l}`.
Shapes: embeddings (n, d), codebooks[l] (N_l, d), codes (n, H), reconstruction (n, d).
Source: seed 003 / arXiv 2510.20815; the refinement of the codebooks is ours, because it lowers the
reconstruction error at no cost for `encode`, which stays greedy.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.data.files import write_whole
from genrec.sid.kmeans import cluster_means, fit_balanced, fit_kmeans, nearest

Floats = NDArray[np.float32]
Codes = NDArray[np.int64]


@dataclass
class RQKMeans:
    """Trained codebooks.

    Args:
        codebooks: one (N_l, d) matrix per level.
        fitted_codes: (n, H) codes of the training items; with `balanced` they differ from `encode`,
            because equal cluster sizes send some items to a centroid that is not their nearest.
    """

    codebooks: list[Floats]
    fitted_codes: Codes = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))

    @property
    def num_levels(self) -> int:
        """Number of levels H."""
        return len(self.codebooks)

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Codes per level, H entries."""
        return tuple(len(codebook) for codebook in self.codebooks)

    def encode(self, embeddings: ArrayLike) -> Codes:
        """Greedy codes (n, H) of embeddings (n, d): the nearest codeword of the residual, level by level."""
        residual = _matrix(embeddings)
        codes = np.empty((len(residual), self.num_levels), dtype=np.int64)
        for level, codebook in enumerate(self.codebooks):
            codes[:, level] = nearest(residual, codebook)
            residual = residual - codebook[codes[:, level]]
        return codes

    def reconstruct(self, codes: ArrayLike) -> Floats:
        """Sum of the codewords (n, d) of codes (n, >=H); columns behind H and padding (-1) add nothing."""
        table = np.atleast_2d(np.asarray(codes, dtype=np.int64))
        total = np.zeros((len(table), self.codebooks[0].shape[1]), dtype=np.float32)
        for level, codebook in enumerate(self.codebooks):
            column = table[:, level]
            total += np.where((column >= 0)[:, None], codebook[column], np.float32(0))
        return total

    def residual(self, embeddings: ArrayLike, codes: ArrayLike, level: int) -> Floats:
        """What is left of embeddings (n, d) when the first `level` codes are subtracted."""
        table = np.atleast_2d(np.asarray(codes, dtype=np.int64)).copy()
        table[:, level:] = -1
        return _matrix(embeddings) - self.reconstruct(table)

    def save(self, path: str | Path) -> Path:
        """Write the codebooks and the fitted codes as one `.npz` file."""
        arrays = {f"codebook_{level}": codebook for level, codebook in enumerate(self.codebooks)}
        buffer = io.BytesIO()
        np.savez(buffer, fitted_codes=self.fitted_codes, **arrays)  # type: ignore[arg-type]
        write_whole(Path(path), buffer.getvalue())
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> RQKMeans:
        """Read a file written by `save`.

        Raises:
            ValueError: the file is damaged.
        """
        try:
            with np.load(path) as arrays:
                levels = sum(name.startswith("codebook_") for name in arrays.files)
                return cls([arrays[f"codebook_{level}"] for level in range(levels)], arrays["fitted_codes"])
        except FileNotFoundError:
            raise
        except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
            raise ValueError(f"{path} is not a quantiser file ({error}); rerun recipes/gream_index.py") from error


def fit_rq_kmeans(
    embeddings: ArrayLike,
    num_levels: int = 4,
    codebook_size: int | Sequence[int] = 256,
    balanced: bool = False,
    seed: int = 0,
    niter: int = 15,
    refine_rounds: int = 5,
) -> RQKMeans:
    """Train one codebook per level on the residuals, then refine all of them together.

    Args:
        embeddings: (n, d) float vectors.
        num_levels: H.
        codebook_size: N_l, one for all levels or one per level.
        balanced: clusters of equal size (n / N_l, +- 1) at every level.
        seed: of k-means; equal seeds give equal codebooks.
        niter: Lloyd iterations per level.
        refine_rounds: alternations of "codebooks given the codes" and "greedy codes given the codebooks".

    Returns:
        The quantiser, its `fitted_codes` filled.

    Raises:
        ValueError: fewer vectors than codes, or values that are not finite.
    """
    vectors = _matrix(embeddings)
    sizes = level_sizes(num_levels, codebook_size)
    _check_vectors(vectors, sizes)
    quantiser = _fit_levels(vectors, sizes, balanced, seed, niter)
    return quantiser if balanced else _refine(quantiser, vectors, refine_rounds)


def level_sizes(num_levels: int, codebook_size: int | Sequence[int]) -> tuple[int, ...]:
    """Codes per level from one number or one number per level."""
    sizes = (codebook_size,) * num_levels if isinstance(codebook_size, int) else tuple(codebook_size)
    if len(sizes) != num_levels or num_levels < 1 or min(sizes) < 1:
        raise ValueError(f"codebook_size {codebook_size!r} does not give {num_levels} levels of at least one code")
    return tuple(int(size) for size in sizes)


def reconstruction_error(embeddings: ArrayLike, reconstruction: ArrayLike) -> float:
    """Mean squared distance between embeddings (n, d) and their reconstruction (n, d)."""
    gap = np.asarray(embeddings, dtype=np.float64) - np.asarray(reconstruction, dtype=np.float64)
    return float((gap**2).sum(axis=1).mean())


def _fit_levels(vectors: Floats, sizes: Sequence[int], balanced: bool, seed: int, niter: int) -> RQKMeans:
    """Greedy training: k-means on what the levels before have left."""
    residual, codebooks, columns = vectors, [], []
    for level, size in enumerate(sizes):
        centroids = fit_kmeans(residual, size, niter, seed + level)
        if balanced:
            centroids, labels = fit_balanced(residual, centroids, rounds=3)
        else:
            labels = nearest(residual, centroids)
        codebooks.append(centroids)
        columns.append(labels)
        residual = residual - centroids[labels]
    return RQKMeans(codebooks, np.stack(columns, axis=1))


def _refine(quantiser: RQKMeans, vectors: Floats, rounds: int) -> RQKMeans:
    """Alternate joint codebook updates and greedy encoding; keep the best quantiser seen."""
    best, best_error = quantiser, reconstruction_error(vectors, quantiser.reconstruct(quantiser.fitted_codes))
    current = quantiser
    for _ in range(rounds):
        codebooks = _joint_update(current.codebooks, current.fitted_codes, vectors)
        current = RQKMeans(codebooks)
        current.fitted_codes = current.encode(vectors)
        error = reconstruction_error(vectors, current.reconstruct(current.fitted_codes))
        if error < best_error:
            best, best_error = current, error
    return best


def _joint_update(codebooks: Sequence[Floats], codes: Codes, vectors: Floats, sweeps: int = 2) -> list[Floats]:
    """Least squares for the codebooks at fixed codes, by Gauss-Seidel sweeps over the levels."""
    books = list(codebooks)
    residual = vectors - RQKMeans(books).reconstruct(codes)
    for _ in range(sweeps):
        for level, labels in enumerate(codes.T):
            without = residual + books[level][labels]
            books[level] = cluster_means(without, labels, books[level])
            residual = without - books[level][labels]
    return books


def _matrix(embeddings: ArrayLike) -> Floats:
    matrix = np.ascontiguousarray(embeddings, dtype=np.float32)
    if matrix.ndim != 2:
        raise ValueError(f"embeddings have shape {matrix.shape}, expected (num_items, dimension)")
    return matrix


def _check_vectors(vectors: Floats, sizes: Sequence[int]) -> None:
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise ValueError(f"the embedding of item {row} is not finite; check the encoder")
    if len(vectors) < max(sizes):
        raise ValueError(
            f"codebook_size {max(sizes)} needs at least as many items, there are {len(vectors)}; "
            f"choose codebook_size <= {len(vectors)}"
        )
