"""How are many histories answered at once? Direct lists, lists behind given chains, sampled chains.

Legend: N histories, k list length, n samples per history. Items are dense indices.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrec.decoding.answers import answer_probabilities
from gream.recommend.folder import Parts
from gream.recommend.runner import History, Runner
from gream.recommend.sampling import SampledChain, SamplingConfig


class BatchRanker:
    """A trained checkpoint with its index, catalogue and prompts, asked in batches.

    Args:
        parts: What a recommender folder holds.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.catalogue = parts.catalogue
        self.item_codes = parts.item_codes
        self.runner = Runner(parts)

    def rank_direct(
        self,
        histories: Sequence[History],
        k: int,
        num_beams: int | None = None,
        exclude_history: bool = False,
        batch_size: int = 32,
        progress: bool = False,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rank items for many histories without chains.

        Args:
            histories: N sequences of dense items, oldest first.
            k: Items per list.
            num_beams: Beam width; None or less than k means k.
            exclude_history: True leaves each row's own history out of the trie.
            batch_size: Prompts per forward pass.
            progress: Show a progress bar.

        Returns:
            items (N, k), -1 where the catalogue has no more; scores (N, k) log-probabilities, -inf there.
        """
        prompts = [self.runner.direct_ids(history) for history in histories]
        left_out = item_sets(histories) if exclude_history else None
        return self.runner.beam(prompts, k, max(num_beams or k, k), left_out, batch_size, progress)

    def rank_after_chains(
        self,
        histories: Sequence[History],
        chains: Sequence[str],
        k: int,
        num_beams: int | None = None,
        exclude_history: bool = False,
        batch_size: int = 32,
        progress: bool = False,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rank items behind given chains ("chain, then trie beam").

        Args:
            histories: N sequences of dense items.
            chains: N texts between the think tags; need not be the model's own.
            k: Items per list.
            num_beams: Beam width; None or less than k means k.
            exclude_history: True leaves each row's own history out of the trie.
            batch_size: Prompts per forward pass.
            progress: Show a progress bar.

        Returns:
            items (N, k) and scores (N, k) as `rank_direct`.
        """
        pairs = zip(histories, chains, strict=True)
        prompts = [self.runner.answer_ids(history, chain) for history, chain in pairs]
        left_out = item_sets(histories) if exclude_history else None
        return self.runner.beam(prompts, k, max(num_beams or k, k), left_out, batch_size, progress)

    def answer_probabilities(
        self,
        histories: Sequence[History],
        chains: Sequence[str],
        targets: Sequence[int],
        sampling: SamplingConfig | None = None,
        batch_size: int = 64,
    ) -> NDArray[np.float64]:
        """Probability that the answer drawn behind a chain is a certain item.

        Args:
            histories: N sequences of dense items.
            chains: N texts between the think tags; need not be the model's own.
            targets: N dense items.
            sampling: Temperature and nucleus of the draw.
            batch_size: Prompts per forward pass.

        Returns:
            (N,) probabilities: what `sample_chains` would draw in the mean, without the noise of a draw.
        """
        runner, drawn = self.runner, sampling or SamplingConfig()
        prompts = [runner.answer_ids(history, chain) for history, chain in zip(histories, chains, strict=True)]
        answers = [runner.formatter.sid_ids(int(item)) for item in targets]
        return answer_probabilities(
            runner.model, prompts, answers, runner.constraint,
            pad_id=runner.pad_id, temperature=drawn.temperature, top_p=drawn.top_p, batch_size=batch_size,
        )  # fmt: skip

    def sample_chains(
        self,
        histories: Sequence[History],
        n: int = 4,
        sampling: SamplingConfig | None = None,
        *,
        constrained: bool = True,
        close: bool = False,
        batch_size: int = 64,
        progress: bool = False,
    ) -> list[list[SampledChain]]:
        """Draw n completions (chain and answer) per history.

        Args:
            histories: N sequences of dense items.
            n: Samples per history.
            sampling: Temperature, nucleus, budget, seed.
            constrained: True lets only items of the catalogue follow a closed chain; False samples freely.
            close: True ends a chain that would use up the budget, so that every sample has an answer.
            batch_size: Completions per forward pass.
            progress: Show a progress bar.

        Returns:
            N lists of n samples.
        """
        return self.runner.sample(
            histories, n, sampling or SamplingConfig(),
            constrained=constrained, close=close, batch_size=batch_size, progress=progress,
        )  # fmt: skip


def item_sets(histories: Sequence[History]) -> list[set[int]]:
    """The items of each history, to be left out of its own list."""
    return [{int(item) for item in history} for history in histories]
