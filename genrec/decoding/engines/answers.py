"""Which item does a model choose behind a finished chain? Drawn level by level among the children of the trie.

The distribution is that of `generate` under a `TrieLogitsProcessor`: children only, then temperature, then nucleus.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrec.decoding.engines.protocol import ChainSettings, TokenEngine, Tokens
from genrec.decoding.trie import ROOT, Trie


def draw_items(
    engine: TokenEngine, prompts: Sequence[Tokens], trie: Trie, settings: ChainSettings, random: np.random.Generator
) -> list[tuple[list[int], float]]:
    """Draw one item behind each prompt.

    Args:
        engine: The model.
        prompts: Token ids up to the opened answer.
        trie: Tree over token ids.
        settings: Temperature and nucleus.
        random: Source of the draws.

    Returns:
        Per prompt the item's tokens, and their log-probability renormalised over what the trie allowed (nats).
    """
    tokens: list[list[int]] = [[] for _ in prompts]
    nodes, sums = [ROOT] * len(prompts), [0.0] * len(prompts)
    open_rows = list(range(len(prompts)))
    while open_rows:
        children = {row: trie.children_of(nodes[row]).tolist() for row in open_rows}
        asked = [row for row in open_rows if len(children[row]) > 1]  # an only child is no choice
        values = engine.score([(*prompts[row], *tokens[row]) for row in asked], [children[row] for row in asked])
        scores = dict(zip(asked, values, strict=True))
        for row in open_rows:
            log_probs = _normalised(np.array(scores.get(row, [0.0])))
            choice = choose(log_probs, settings.temperature, settings.top_p, random)
            sums[row] += float(log_probs[choice])
            tokens[row].append(children[row][choice])
            nodes[row] = trie.child(nodes[row], children[row][choice])
        open_rows = [row for row in open_rows if trie.leaf_items[nodes[row]] < 0]
    return list(zip(tokens, sums, strict=True))


def choose(log_probs: NDArray[np.float64], temperature: float, top_p: float, random: np.random.Generator) -> int:
    """Draw one of a few tokens.

    Args:
        log_probs: (n,) log-probabilities, nats.
        temperature: 0 takes the best.
        top_p: The smallest set of best tokens whose probability reaches this is kept.
        random: Source of the draw.

    Returns:
        A position.
    """
    if temperature == 0 or len(log_probs) == 1:
        return int(log_probs.argmax())
    probabilities = np.exp(_normalised(log_probs / temperature))
    order = np.argsort(-probabilities, kind="stable")
    before = np.cumsum(probabilities[order]) - probabilities[order]
    kept = order[before < top_p]
    share = probabilities[kept] / probabilities[kept].sum()
    return int(kept[random.choice(len(kept), p=share)])


def _normalised(log_probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-probabilities that sum to one."""
    shifted = log_probs - log_probs.max()
    return shifted - np.log(np.exp(shifted).sum())  # type: ignore[no-any-return]
