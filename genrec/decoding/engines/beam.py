"""Which items does an engine's model rank first? Trie beam search, one round of scoring per level.

Legend: B prompts, K beams, R results. The same search as `genrec.decoding.beam`, with the model behind a
`TokenEngine`: all beams of all prompts go to the engine together, each with the children of its node.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from heapq import nlargest

import torch

from genrec.decoding.beam import NEVER, BeamResult
from genrec.decoding.engines.protocol import TokenEngine, Tokens
from genrec.decoding.expand import Exclusion, SubCatalogue, TrieTensors
from genrec.decoding.trie import ROOT, Trie


@dataclass(frozen=True)
class _Beam:
    """A prompt's row, a node, its score and the tokens that lead there."""

    row: int
    node: int = ROOT
    score: float = 0.0
    tokens: tuple[int, ...] = ()


@dataclass
class _Found:
    """Finished items of one prompt: (score, item)."""

    items: list[tuple[float, int]] = field(default_factory=list)


def engine_beam_search(
    engine: TokenEngine,
    prompts: Sequence[Tokens],
    trie: Trie,
    num_beams: int,
    num_return: int | None = None,
    exclude: Sequence[Set[int]] | None = None,
    within: Sequence[SubCatalogue | None] | None = None,
) -> BeamResult:
    """Rank items behind prompts.

    Args:
        engine: The model.
        prompts: B token id lists of any length.
        trie: Tree over token ids.
        num_beams: K.
        num_return: R, default `num_beams`.
        exclude: Per prompt, dense items that must not be returned.
        within: Per prompt, the sub-catalogue that may be returned.

    Returns:
        Items and scores (B, R), as `trie_beam_search` on the same model.

    Raises:
        ValueError: `num_return` above `num_beams`.
    """
    num_return = num_beams if num_return is None else num_return
    if not 1 <= num_return <= num_beams:
        raise ValueError(f"num_return must be 1..num_beams, got num_return={num_return}, num_beams={num_beams}")
    barred = None
    if any(exclude or ()) or any(sub is not None for sub in within or ()):
        tree = TrieTensors.of(trie, torch.device("cpu"))
        barred = Exclusion(tree, exclude if exclude is not None else [set()] * len(prompts), within)
    found = [_Found() for _ in prompts]
    beams = [_Beam(row) for row in range(len(prompts))]
    while beams:
        beams = _step(engine, prompts, trie, beams, found, num_beams, num_return, barred)
    return _as_result(found, num_return)


def _step(
    engine: TokenEngine,
    prompts: Sequence[Tokens],
    trie: Trie,
    beams: list[_Beam],
    found: list[_Found],
    num_beams: int,
    num_return: int,
    barred: Exclusion | None,
) -> list[_Beam]:
    """Move every beam to its children; leaves join the results, the best others stay beams."""
    children = _allowed_children(trie, beams, barred, len(prompts))
    kept = [(beam, tokens) for beam, tokens in zip(beams, children, strict=True) if tokens]
    if not kept:
        return []
    scores = engine.score([(*prompts[beam.row], *beam.tokens) for beam, _ in kept], [tokens for _, tokens in kept])
    inner: dict[int, list[_Beam]] = {}
    for (beam, tokens), values in zip(kept, scores, strict=True):
        for token, value in zip(tokens, values, strict=True):
            node, score = trie.child(beam.node, token), beam.score + value
            item = int(trie.leaf_items[node])
            if item >= 0:
                found[beam.row].items.append((score, item))
            else:
                inner.setdefault(beam.row, []).append(_Beam(beam.row, node, score, (*beam.tokens, token)))
    for row in found:
        row.items = nlargest(num_return, row.items, key=lambda pair: (pair[0], -pair[1]))
    return [
        beam
        for row, candidates in inner.items()
        for beam in nlargest(num_beams, candidates, key=lambda beam: beam.score)
        if len(found[row].items) < num_return or beam.score > found[row].items[-1][0]
    ]


def _allowed_children(trie: Trie, beams: list[_Beam], barred: Exclusion | None, batch: int) -> list[list[int]]:
    """Symbols that each beam may go on with."""
    lists = [trie.children_of(beam.node).tolist() for beam in beams]
    if barred is None:
        return lists
    width = max(len(symbols) for symbols in lists)
    places: list[int] = []  # of each beam within its prompt
    counts = [0] * batch
    for beam in beams:
        places.append(counts[beam.row])
        counts[beam.row] += 1
    nodes = torch.zeros(batch, max(counts), width, dtype=torch.int64)
    for beam, place, symbols in zip(beams, places, lists, strict=True):
        first = int(trie.child_start[beam.node]) + 1  # edge e leads to node e + 1
        nodes[beam.row, place, : len(symbols)] = torch.arange(first, first + len(symbols))
    dead = barred.dead(nodes)
    return [
        [symbol for symbol, gone in zip(symbols, dead[beam.row, place].tolist(), strict=False) if not gone]
        for beam, place, symbols in zip(beams, places, lists, strict=True)
    ]


def _as_result(found: list[_Found], num_return: int) -> BeamResult:
    items = torch.full((len(found), num_return), -1, dtype=torch.int64)
    scores = torch.full((len(found), num_return), NEVER)
    for row, results in enumerate(found):
        for place, (score, item) in enumerate(results.items):
            items[row, place], scores[row, place] = item, score
    return BeamResult(items, scores)
