"""Which records say nearly the same? MinHash over word triples, so that not every pair is compared."""

from collections.abc import Sequence

from data_synthesis.text import ngrams, words

HASHES, SHINGLE = 128, 3
BANDS = (32, 4)  # 32 bands of 4 hashes: a pair of Jaccard 0.5 meets in 87 % of cases, of 0.7 in 99.9 %


def near_duplicates(texts: Sequence[str], threshold: float) -> list[bool]:
    """Marks texts that nearly repeat an earlier, unmarked one.

    Args:
        texts: In the order of preference.
        threshold: Least estimated Jaccard share of word triples that counts as a repeat, in (0, 1].

    Returns:
        Per text whether it is to be dropped.

    Source:
        Broder 1997; signatures and the search among them are datasketch's.
    """
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=HASHES, params=BANDS)  # finds candidates; the threshold is held below
    empty = MinHash(num_perm=HASHES, seed=0)
    kept: dict[int, MinHash] = {}
    for at, text in enumerate(texts):
        signature = empty.copy()
        signature.update_batch([" ".join(shingle).encode("utf-8", "replace") for shingle in _shingles(text)])
        if any(signature.jaccard(kept[rival]) >= threshold for rival in index.query(signature)):
            continue
        index.insert(at, signature, check_duplication=False)
        kept[at] = signature
    return [at not in kept for at in range(len(texts))]


def _shingles(text: str) -> list[tuple[str, ...]]:
    """Runs of three words; all words of a shorter text."""
    said = words(text)
    return sorted(ngrams(said, SHINGLE) or {said})
