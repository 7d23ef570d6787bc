"""What may come next in an answer? Free chain, then forced tags around an item of the catalogue, as pure
functions.

Legend: B completions, C completion tokens, V vocabulary, A most tokens allowed at a trie position.
A completion is `<free chain> start prefix SID suffix eos`: everything up to and including the start marker
(`</think>`) is free, the prefix (`<answer>`, possibly several tokens) is forced, the SID walks the trie, the
suffix
(`</answer>`) and the end token are forced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.decoding.trie import ROOT, Trie

FREE = -1
FORCED = -2


@dataclass(frozen=True)
class ConstraintMasks:
    """What the constraint allowed at each position of a batch of completions.

    Memory is O(B * C): a boolean (B, C, V) would take 1.5 GB for 32 x 320 tokens of a Qwen3 vocabulary, so
    allowed
    sets are kept as trie nodes and looked up with `allowed_tokens`.

    Attributes:
        nodes: (B, C) trie node where the token was chosen, `FREE` (-1) where every token was allowed,
            `FORCED` (-2)
            where a tag, the end or padding was written.
        forced: (B, C) bool, True where at most one token was possible (tags, end, padding, only children):
            such
            positions carry no choice, have log-probability 0 and belong in no loss.
    """

    nodes: NDArray[np.int64]
    forced: NDArray[np.bool_]

    @property
    def constrained(self) -> NDArray[np.bool_]:
        """(B, C) bool, True where the token was chosen among the children of a trie node."""
        return self.nodes >= 0


class AnswerConstraint:
    """The set of token sequences that count as an answer.

    Args:
        trie: tree over token ids; answers that end with the end token themselves take no further ending.
        think_end_id: id, or ids, of the marker after which the answer is forced; an empty sequence means that
            the
            answer begins at once.
        prefix_ids: canonical tokens of the opening tag(s), possibly empty.
        suffix_ids: canonical tokens of the closing tag(s), possibly empty.
        eos_id: token that ends the completion.
    """

    def __init__(
        self,
        trie: Trie,
        think_end_id: int | Sequence[int],
        prefix_ids: Sequence[int],
        suffix_ids: Sequence[int],
        eos_id: int,
    ) -> None:
        """Keep the parts; nothing is computed yet."""
        self.trie = trie
        self.start = (think_end_id,) if isinstance(think_end_id, int) else tuple(int(token) for token in think_end_id)
        self.prefix = tuple(int(token) for token in prefix_ids)
        self.ending = (*(int(token) for token in suffix_ids), int(eos_id))
        self.eos_id = int(eos_id)

    def answer_start(self, generated: Sequence[int]) -> int | None:
        """Position after the first start marker, None while the chain is free or ended without one."""
        tokens = tuple(generated)
        chain = tokens[: tokens.index(self.eos_id)] if self.eos_id in tokens else tokens
        width = len(self.start)
        for end in range(width, len(chain) + 1):
            if chain[end - width : end] == self.start:
                return end
        return None

    def allowed(self, generated_ids: Sequence[int]) -> NDArray[np.int64] | None:
        """Tokens that may follow.

        Args:
            generated_ids: tokens of the completion so far (no prompt).

        Returns:
            Sorted allowed token ids, or None when every token is allowed. After the end it is the end token
            again.

        Raises:
            ValueError: the answer part already broke the constraint.
        """
        start = self.answer_start(generated_ids)
        if start is None:
            return None
        *_, (node, forced) = self._walk(generated_ids[start:])
        return self.trie.children_of(node) if node >= 0 else np.array([forced], dtype=np.int64)

    def _walk(self, answer: Sequence[int]) -> Iterator[tuple[int, int]]:
        """State before each token of an answer and after the last.

        Args:
            answer: tokens after the start marker.

        Yields:
            len(answer) + 1 pairs (trie node or `FORCED`, forced token or -1).

        Raises:
            ValueError: a token that was not allowed.
        """
        tags, node = list(self.prefix), ROOT
        after_item = False
        for token in [*answer, None]:
            state = (FORCED, tags[0]) if tags else (FORCED, self.eos_id) if after_item else (node, -1)
            yield state
            if token is None:
                return
            if state[0] == FORCED:
                if tags and token != tags.pop(0):
                    raise ValueError(f"token {token} stands where {state[1]} was forced")
                continue
            reached = self.trie.child(node, token)
            if reached < 0:
                raise ValueError(
                    f"token {token} leads nowhere in the trie; it allows {self.trie.children_of(node)[:10]}"
                )
            node = reached
            if self.trie.leaf_items[node] >= 0:
                after_item, tags = True, [] if token == self.eos_id else list(self.ending)

    def masks(self, completion_ids: ArrayLike, completion_mask: ArrayLike | None = None) -> ConstraintMasks:
        """What was allowed at each position of finished completions, to renormalise their log-probabilities.

        Args:
            completion_ids: (B, C) right-padded completions.
            completion_mask: (B, C), 1 at real tokens; everything after the first end token is padding anyway.

        Returns:
            Nodes and forced positions; see `ConstraintMasks`. Padding is forced.

        Raises:
            ValueError: a completion that this constraint cannot have produced (row and token are named).
        """
        ids = np.asarray(completion_ids, dtype=np.int64)
        real = np.ones(ids.shape, bool) if completion_mask is None else np.asarray(completion_mask).astype(bool)
        nodes = np.full(ids.shape, FORCED, dtype=np.int64)
        for row, (tokens, keep) in enumerate(zip(ids, real, strict=True)):
            length = self._length(tokens, keep)
            try:
                nodes[row, :length] = self._row_nodes(tokens[:length].tolist())
            except ValueError as error:
                raise ValueError(f"completion {row} was not sampled under this constraint: {error}") from error
        degree = np.diff(self.trie.child_start)[np.maximum(nodes, ROOT)]
        return ConstraintMasks(nodes, (nodes == FORCED) | ((nodes >= 0) & (degree == 1)))

    def _length(self, tokens: NDArray[np.int64], keep: NDArray[np.bool_]) -> int:
        """Number of real tokens, the first end token included."""
        length = int(keep.sum())
        ends = np.flatnonzero(tokens[:length] == self.eos_id)
        return int(ends[0]) + 1 if len(ends) else length

    def _row_nodes(self, tokens: list[int]) -> list[int]:
        """Node, `FREE` or `FORCED` for each token of one completion."""
        start = self.answer_start(tokens)
        if start is None:
            return [FREE] * len(tokens)
        return [FREE] * start + [node for node, _ in self._walk(tokens[start:])][:-1]

    def allowed_tokens(self, nodes: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Children of trie nodes as padded lists.

        Args:
            nodes: (M,) trie nodes, all >= 0 (for instance `masks.nodes[masks.constrained]`).

        Returns:
            Tokens (M, A) padded with 0, and (M, A) bool, True at real entries.
        """
        lists = [self.trie.children_of(int(node)) for node in np.asarray(nodes)]
        width = max((len(tokens) for tokens in lists), default=1)
        tokens = np.zeros((len(lists), width), dtype=np.int64)
        real = np.zeros((len(lists), width), dtype=bool)
        for row, allowed in enumerate(lists):
            tokens[row, : len(allowed)], real[row, : len(allowed)] = allowed, True
        return tokens, real
