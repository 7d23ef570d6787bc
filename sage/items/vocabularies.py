"""In which vocabulary are items written? The model's own, or one of the two that SAGE is compared with.

`native`: names in the tokenizer's tokens (SAGE). `rq_index`: new tokens for the codes of an RQ-KMeans over text vectors
(a plain generator over an index, GRN type). `atomic`: one new token per item (an LLM without vocabulary reuse,
GenLLMRec type). All three give the same `NativeNames`, so that trainers and decoders do not know the difference.
Source: METHODS 4 (baselines).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sage.items.names import NativeNames

if TYPE_CHECKING:
    from genrec.sid.codes import ItemCodes
    from genrec.sid.vocabulary import SidVocabulary

VOCABULARIES = ("native", "rq_index", "atomic")


@dataclass(frozen=True)
class RQIndex:
    """What `rq_index` was learnt as.

    Attributes:
        vocabulary: its tokens.
        item_codes: codes of the known items, in dense order; new items are not among them.
    """

    vocabulary: SidVocabulary
    item_codes: ItemCodes


@dataclass(frozen=True)
class BuiltVocabulary:
    """A vocabulary and what it took.

    Attributes:
        names: the items' spellings, dense order.
        seconds: time to build it, text vectors not counted.
        new_tokens: tokens added to the tokenizer, which need rows that no pretraining has seen.
        index: of `rq_index`; None for the others.
    """

    names: NativeNames
    seconds: float
    new_tokens: int
    index: RQIndex | None = None


def start_rows(
    model: Any, tokenizer: Any, built: BuiltVocabulary, known_vectors: NDArray[np.float32], seed: int = 0
) -> None:
    """Give the new tokens rows that differ from each other: what they are compared by must not be a bad start.

    Args:
        model: a causal LM; changed in place.
        tokenizer: its tokenizer, as `build_vocabulary` left it.
        built: the vocabulary; a native one has no new token and changes nothing.
        known_vectors: (known items, d) text vectors; codes of `rq_index` start at their projected codewords.
        seed: of the rows.
    """
    from genrec.sid.vocabulary import random_rows, resize_and_init

    if built.index is not None:
        index = built.index
        resize_and_init(
            model, tokenizer, index.vocabulary, index.item_codes, (), "codebook", seed, vectors=known_vectors
        )
    elif built.new_tokens:
        random_rows(model, tokenizer, range(len(tokenizer) - built.new_tokens, len(tokenizer)), seed)


def build_vocabulary(
    kind: str,
    titles: Sequence[str],
    tokenizer: Any,
    known: NDArray[np.bool_],
    vectors: NDArray[np.float32] | None = None,
    *,
    num_levels: int = 4,
    codebook_size: int = 256,
    seed: int = 0,
) -> BuiltVocabulary:
    """Spell a catalogue; new items are spelt after all known ones and change none of them.

    Args:
        kind: native, rq_index or atomic.
        titles: one per item, dense order.
        tokenizer: gains the new tokens of `rq_index` and `atomic`.
        known: (num_items,) bool, True for items that training sees; the others come later.
        vectors: (num_items, d) text vectors, needed by `rq_index`.
        num_levels: codes per item of `rq_index`.
        codebook_size: codes per level of `rq_index`.
        seed: of the clustering.

    Returns:
        The vocabulary, with its building time.

    Raises:
        ValueError: an unknown kind, or `rq_index` without vectors.
    """
    if kind not in VOCABULARIES:
        raise ValueError(f"vocabulary {kind!r} is unknown; choose one of {', '.join(VOCABULARIES)}")
    before, started, index = len(tokenizer), time.perf_counter(), None
    if kind == "native":
        names = _in_order(NativeNames.from_titles, titles, tokenizer, known)
    elif kind == "atomic":
        names = _atomic(len(titles), tokenizer)
    else:
        if vectors is None:
            raise ValueError("vocabulary 'rq_index' is learnt from text vectors; pass vectors=...")
        names, index = _rq_index(vectors, known, tokenizer, num_levels, codebook_size, seed)
    return BuiltVocabulary(names, time.perf_counter() - started, len(tokenizer) - before, index)


def restored(names: NativeNames, order: NDArray[np.int64]) -> NativeNames:
    """Names in the order `order` (position -> item) brought back to dense order."""
    back = np.argsort(order, kind="stable")
    return NativeNames(tuple(names.names[i] for i in back), tuple(names.token_ids[i] for i in back), names.end_id)


def known_first(known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """All items (num_items,), known ones first, each part in dense order."""
    return np.concatenate([np.flatnonzero(known), np.flatnonzero(~known)])


def _in_order(make: Any, titles: Sequence[str], tokenizer: Any, known: NDArray[np.bool_]) -> NativeNames:
    """Name the known items as if the new ones did not exist, then the new ones around them."""
    order = known_first(known)
    named = make([titles[i] for i in order[: known.sum()]], tokenizer)
    return restored(named.with_titles([titles[i] for i in order[known.sum() :]], tokenizer), order)


def _atomic(num_items: int, tokenizer: Any) -> NativeNames:
    """One new token per item."""
    tokens = [f"<item_{item}>" for item in range(num_items)]
    tokenizer.add_tokens(tokens)
    ids = tokenizer.convert_tokens_to_ids(tokens)
    return NativeNames(tuple(tokens), tuple((int(token),) for token in ids), int(tokenizer.eos_token_id))


def _rq_index(
    vectors: NDArray[np.float32], known: NDArray[np.bool_], tokenizer: Any, levels: int, size: int, seed: int
) -> tuple[NativeNames, RQIndex]:
    """Codes learnt from the known items' vectors; new items get codes from the frozen codebooks."""
    from genrec.sid.learners import SidConfig, learn_codes
    from genrec.sid.new_items import assign_new_items
    from genrec.sid.vocabulary import SidVocabulary, extend_tokenizer

    order = known_first(known)
    settings = SidConfig(num_levels=levels, codebook_size=size, seed=seed)
    learned = learn_codes("rq_kmeans", vectors[order[: known.sum()]], settings)
    codes = learned.item_codes
    if not known.all():
        codes, _ = assign_new_items(codes, learned.quantiser, vectors[order[known.sum() :]])  # type: ignore[arg-type]
    vocabulary = SidVocabulary.for_codes(codes)
    extend_tokenizer(tokenizer, vocabulary)
    table = vocabulary.bind(tokenizer).token_codes(codes)
    spellings = tuple(tuple(int(token) for token in row if token >= 0) for row in table)
    texts = tuple(vocabulary.text_of([c for c in row if c >= 0]) for row in codes.codes.tolist())
    names = restored(NativeNames(texts, spellings, int(tokenizer.eos_token_id)), order)
    return names, RQIndex(vocabulary, learned.item_codes)
