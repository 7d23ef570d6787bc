"""Which records say nearly the same? MinHash over word triples, banded so that not every pair is compared."""

from collections import defaultdict
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from data_synthesis.text import ngrams, words

HASHES, BANDS = 128, 32  # 32 bands of 4: a pair of Jaccard 0.5 meets in 87 % of cases, of 0.7 in 99.9 %
SHINGLE = 3
_PRIME = (1 << 61) - 1


def near_duplicates(texts: Sequence[str], threshold: float) -> list[bool]:
    """Marks texts that nearly repeat an earlier, unmarked one.

    Args:
        texts: In the order of preference.
        threshold: Least estimated Jaccard share of word triples that counts as a repeat, in (0, 1].

    Returns:
        Per text whether it is to be dropped.

    Source:
        Broder 1997; the bands as in Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", 3.4.
    """
    signatures = np.stack([_signature(text) for text in texts]) if texts else np.zeros((0, HASHES), np.uint64)
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    marked = [False] * len(texts)
    for at, signature in enumerate(signatures):
        keys = [(band, part.tobytes()) for band, part in enumerate(np.split(signature, BANDS))]
        rivals = list({other for key in keys for other in buckets[key]})
        if rivals and (signatures[rivals] == signature).mean(axis=1).max() >= threshold:
            marked[at] = True
            continue
        for key in keys:
            buckets[key].append(at)
    return marked


def _signature(text: str) -> NDArray[np.uint64]:
    """The smallest value of each of 128 hash functions over the word triples, shape (128,)."""
    said = words(text)
    shingles = ngrams(said, SHINGLE) or {said}
    base = np.array([_hash(" ".join(shingle)) for shingle in sorted(shingles)], dtype=np.uint64)
    mixed = base[None, :] * _FACTORS[:, None] + _SHIFTS[:, None]  # wraps modulo 2^64: multiply-shift hashing
    smallest: NDArray[np.uint64] = (mixed >> np.uint64(32)).min(axis=1)
    return smallest


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little")


_RNG = np.random.default_rng(0)
_FACTORS = _RNG.integers(1, _PRIME, HASHES, dtype=np.uint64) | np.uint64(1)
_SHIFTS = _RNG.integers(0, _PRIME, HASHES, dtype=np.uint64)
