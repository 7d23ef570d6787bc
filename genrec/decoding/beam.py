"""Which items does a language model rank first? Beam search over the trie of the catalogue.

Legend: B prompts, T prompt tokens (left padded), K beams, R results, V vocabulary, C most children of a
current node.
Every finished beam is an item of the catalogue and no item comes twice, whatever the model says.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genrec.decoding.caches import make_cache, prefill
from genrec.decoding.expand import Exclusion, SubCatalogue, TrieTensors, children_of_nodes
from genrec.decoding.trie import ROOT, Trie

NEVER = float("-inf")


@dataclass
class BeamResult:
    """Ranked items of a batch of prompts.

    Attributes:
        items: (B, R) dense item indices, best first, -1 where fewer items exist or are allowed.
        scores: (B, R) sums of token log-probabilities under the full softmax, -inf where items is -1.
    """

    items: Tensor
    scores: Tensor


@dataclass
class _Beams:
    """Unfinished beams: nodes, scores, the beam each continues, its last token; all (B, K)."""

    nodes: Tensor
    scores: Tensor
    parents: Tensor
    tokens: Tensor


def trie_beam_search(
    model: Any,
    input_ids: Tensor,
    attention_mask: Tensor,
    trie: Trie,
    num_beams: int,
    num_return: int | None = None,
    exclude: Sequence[Set[int]] | None = None,
    *,
    within: Sequence[SubCatalogue | None] | None = None,
    cache: str = "auto",
) -> BeamResult:
    """Rank items by beam search: one prefill, then one forward pass per trie level.

    The model's `generation_config` is not consulted, so nothing samples behind our back. Scores are plain
    sums: codes
    of unequal length compete without a length penalty, as probabilities of items.

    Args:
        model: causal language model of transformers (any device and dtype).
        input_ids: (B, T) left-padded prompts, at least one real token each.
        attention_mask: (B, T), 1 at real tokens, 0 at padding.
        trie: tree over token ids, one leaf per item.
        num_beams: beams kept per level; may exceed the catalogue (then the ranking is exhaustive).
        num_return: R, default `num_beams`.
        exclude: per prompt, dense items that must not be returned (for instance its history).
        within: per prompt, the sub-catalogue that may be returned, None for all of it.
        cache: "auto", "tree" or "repeat", see `genrec.decoding.caches`.

    Returns:
        R items per prompt, best first.

    Raises:
        ValueError: shapes that do not match, right padding, an empty prompt, or `num_return` above
        `num_beams`.

    Source: ours; beam search as in `generate(prefix_allowed_tokens_fn=...)`, gathered at the children only.
    """
    num_return = num_beams if num_return is None else num_return
    attention_mask = attention_mask.long()
    _check(model, input_ids, attention_mask, trie, num_beams, num_return, exclude, within)
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            tree = TrieTensors.of(trie, input_ids.device)
            barred = _barred(tree, len(input_ids), exclude, within)
            return _search(model, input_ids, attention_mask, tree, num_beams, num_return, barred, cache)
    finally:
        model.train(training)


def _barred(
    tree: TrieTensors,
    batch: int,
    exclude: Sequence[Set[int]] | None,
    within: Sequence[SubCatalogue | None] | None,
) -> Exclusion | None:
    """What the prompts may not list; None when all may list everything."""
    if not any(exclude or ()) and not any(sub is not None for sub in within or ()):
        return None
    return Exclusion(tree, exclude if exclude is not None else [set()] * batch, within)


def _search(
    model: Any,
    input_ids: Tensor,
    attention_mask: Tensor,
    tree: TrieTensors,
    num_beams: int,
    num_return: int,
    excluded: Exclusion | None,
    cache: str,
) -> BeamResult:
    """The search itself, in evaluation mode."""
    batch, device = len(input_ids), input_ids.device
    past, logits = prefill(model, input_ids, attention_mask)
    memory = make_cache(cache, model, past, attention_mask)
    none = torch.zeros(batch, 1, dtype=torch.int64, device=device)
    beams = _Beams(none + ROOT, torch.zeros(batch, 1, device=device), none, none)
    done = BeamResult(none[:, :0], torch.zeros(batch, 0, device=device))
    while True:
        beams, done = _expand(tree, beams, done, logits, num_beams, num_return, excluded)
        if not bool((beams.scores > NEVER).any()):
            return _pad_results(done, num_return)
        logits = memory.advance(beams.parents, beams.tokens)


def _expand(
    tree: TrieTensors,
    beams: _Beams,
    done: BeamResult,
    logits: Tensor,
    num_beams: int,
    num_return: int,
    excluded: Exclusion | None,
) -> tuple[_Beams, BeamResult]:
    """Move every beam to its children; finished ones join the results, the best others stay beams.

    Args:
        tree: the trie.
        beams: K beams per prompt.
        done: finished items so far, sorted.
        logits: (B, K, V) next-token logits of the beams.
        num_beams: beams to keep.
        num_return: results to keep.
        excluded: dead nodes per prompt.

    Returns:
        New beams (score -inf where there is none) and new results.
    """
    alive = torch.where(beams.scores > NEVER, beams.nodes, -1)
    children = children_of_nodes(tree, alive)
    allowed = children.present
    if excluded is not None:
        allowed = allowed & ~excluded.dead(children.nodes)
    log_probs = logits.gather(-1, children.symbols) - logits.logsumexp(-1, keepdim=True)  # (B, K, C)
    scores = torch.where(allowed, beams.scores[..., None] + log_probs, NEVER).flatten(1)  # (B, K * C)
    items = tree.leaf_items[children.nodes].long().flatten(1)
    done = _merge(done, items, torch.where(items >= 0, scores, NEVER), num_return)
    inner, index = torch.where(items < 0, scores, NEVER).topk(min(num_beams, scores.shape[1]), dim=1)
    if done.scores.shape[1] == num_return:  # scores only fall: what is below the last result can never enter
        inner = inner.masked_fill(inner <= done.scores[:, -1:], NEVER)
    nodes, tokens = (part.flatten(1).gather(1, index) for part in (children.nodes, children.symbols))
    return _Beams(nodes, inner, index // allowed.shape[-1], tokens), done


def _merge(done: BeamResult, items: Tensor, scores: Tensor, num_return: int) -> BeamResult:
    """Best `num_return` of old results and new leaves (B, K * C), sorted; -inf scores carry item -1."""
    if not bool((scores > NEVER).any()):
        return done
    scores, items = torch.cat([done.scores, scores], dim=1), torch.cat([done.items, items], dim=1)
    best, index = scores.topk(min(num_return, scores.shape[1]), dim=1)
    return BeamResult(torch.where(best > NEVER, items.gather(1, index), -1), best)


def _pad_results(done: BeamResult, num_return: int) -> BeamResult:
    """Fill up to `num_return` columns with item -1 and score -inf."""
    missing = (0, num_return - done.items.shape[1])
    return BeamResult(
        torch.nn.functional.pad(done.items, missing, value=-1),
        torch.nn.functional.pad(done.scores, missing, value=NEVER),
    )


def _check(
    model: Any,
    input_ids: Tensor,
    attention_mask: Tensor,
    trie: Trie,
    num_beams: int,
    num_return: int,
    exclude: Sequence[Set[int]] | None,
    within: Sequence[SubCatalogue | None] | None,
) -> None:
    """Raise a ValueError that names what does not fit."""
    if input_ids.dim() != 2 or input_ids.shape != attention_mask.shape:
        raise ValueError(
            f"input_ids {tuple(input_ids.shape)} and attention_mask {tuple(attention_mask.shape)} must be equal (B, T)"
        )
    if not bool((attention_mask[:, -1] == 1).all()) or bool((attention_mask.diff(dim=1) < 0).any()):
        raise ValueError("prompts must be padded on the left and hold a token: set tokenizer.padding_side = 'left'")
    if not 1 <= num_return <= num_beams:
        raise ValueError(f"num_return must be 1..num_beams, got num_return={num_return}, num_beams={num_beams}")
    for name, given in (("exclude", exclude), ("within", within)):
        if given is not None and len(given) != len(input_ids):
            raise ValueError(f"{name} holds {len(given)} sets for {len(input_ids)} prompts")
    rows = int(model.config.get_text_config().vocab_size)
    if trie.num_symbols > rows:
        raise ValueError(
            f"the trie holds token id {trie.num_symbols - 1} but the model has {rows} rows; resize its embeddings first"
        )
