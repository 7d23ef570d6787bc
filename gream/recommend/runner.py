"""What stands between token ids and items? Prompts in, beams and parsed chains out.

Legend: N histories, k list length, n samples per history, T prompt tokens, S new tokens.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from genrec.decoding.batching import length_sorted_batches, pad_left, search_prompts
from genrec.decoding.constraint import AnswerConstraint
from genrec.decoding.expand import SubCatalogue
from genrec.decoding.processors import TrieLogitsProcessor
from genrec.decoding.sampling import Completions, sample_completions
from genrec.decoding.trie import ROOT, Trie
from genrec.sid.vocabulary import PaddedRowsMask, SidVocabulary
from gream.prompts import Formatter
from gream.prompts.output import ANSWER_CLOSE, ANSWER_OPEN, THINK_CLOSE, THINK_OPEN
from gream.recommend.folder import Parts
from gream.recommend.processors import CloseChain
from gream.recommend.sampling import SampledChain, SamplingConfig
from gream.recommend.watch import ChainWatch

History = Sequence[int] | NDArray[np.int64]


def _ints(history: History) -> list[int]:
    return [int(item) for item in history]


class Runner:
    """Model, tokenizer, trie and formatter of one recommender folder at work.

    Args:
        parts: What the folder holds.

    Raises:
        ValueError: The tokenizer lacks SID tokens of the index, or the model lacks rows for them.
    """

    def __init__(self, parts: Parts) -> None:
        self.model, self.tokenizer, self.item_codes = parts.model, parts.tokenizer, parts.item_codes
        self.vocabulary = SidVocabulary.for_codes(self.item_codes)
        self.formatter = Formatter(
            self.tokenizer, self.item_codes, self.vocabulary, parts.catalogue, parts.prompt_config
        )
        self.trie = Trie.from_codes(self.vocabulary.bind(self.tokenizer).token_codes(self.item_codes))
        rows = int(self.model.get_output_embeddings().weight.shape[0])
        if rows < len(self.tokenizer):
            raise ValueError(
                f"the model has {rows} output rows for {len(self.tokenizer)} tokens; "
                "resize it to the tokenizer (genrec.sid.vocabulary.resize_and_init) before saving"
            )
        self.end_id = int(self.tokenizer.eos_token_id)
        self.pad_id = self.end_id if self.tokenizer.pad_token_id is None else int(self.tokenizer.pad_token_id)

    @cached_property
    def constraint(self) -> AnswerConstraint:
        """Free chain, then forced tags around an item of the catalogue."""
        ids = self.formatter.encode_prompt
        return AnswerConstraint(self.trie, ids(THINK_CLOSE), ids(ANSWER_OPEN), ids(ANSWER_CLOSE), self.end_id)

    @property
    def answer_tokens(self) -> int:
        """Tokens from the marker that closes the chain to the end token, for the longest SID."""
        constraint = self.constraint
        return len(constraint.start) + len(constraint.prefix) + self.trie.max_depth + len(constraint.ending)

    def sid_text(self, item: int) -> str:
        """Semantic ID of an item as text."""
        return self.formatter.sid(item)

    def direct_ids(self, history: History) -> list[int]:
        """Prompt after which the next item's SID follows."""
        return self.formatter.encode_prompt(self.formatter.direct_prompt(_ints(history)))

    def reasoning_ids(self, history: History) -> list[int]:
        """Prompt after which a chain follows."""
        return self.formatter.encode_prompt(self.formatter.reasoning_prompt(_ints(history)))

    def answer_ids(self, history: History, chain: str) -> list[int]:
        """Reasoning prompt, a given chain, and the opened answer: an item's SID follows."""
        text = f"{THINK_OPEN}{chain}{THINK_CLOSE}{ANSWER_OPEN}"
        return self.formatter.encode_prompt(self.formatter.reasoning_prompt(_ints(history)) + text)

    def beam(
        self,
        prompts: Sequence[Sequence[int]],
        k: int,
        num_beams: int,
        exclude: Sequence[Set[int]] | None,
        batch_size: int,
        progress: bool = False,
        within: Sequence[SubCatalogue | None] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Trie beam search behind each prompt: items (N, k), -1 where there is none; scores (N, k)."""
        found = search_prompts(
            self.model, prompts, self.trie, num_beams, k, exclude,
            within=within, pad_id=self.pad_id, batch_size=batch_size, progress=progress,
        )  # fmt: skip
        return found.items.numpy().astype(np.int64), found.scores.numpy().astype(np.float64)

    def sample(
        self,
        histories: Sequence[History],
        n: int,
        config: SamplingConfig,
        *,
        constrained: bool,
        close: bool,
        batch_size: int,
        progress: bool = False,
    ) -> list[list[SampledChain]]:
        """Draw n completions behind each reasoning prompt.

        Args:
            histories: N histories.
            n: Samples per history.
            config: Temperature, nucleus, budget, seed.
            constrained: True lets only existing items follow a closed chain.
            close: True forces an answer before the budget ends; implies `constrained`.
            batch_size: Completions per batch.
            progress: Show a bar.

        Returns:
            N lists of n samples, in the order of `histories`.

        Raises:
            ValueError: The budget is too small for an answer.
        """
        prompts = [self.reasoning_ids(history) for history in histories]
        results: list[list[SampledChain]] = [[] for _ in prompts]
        batches = list(length_sorted_batches([len(p) for p in prompts], max(1, batch_size // n)))
        for number, rows in enumerate(tqdm(batches, desc="sampling chains", disable=not progress)):
            seeded = replace(config, seed=config.seed + 1_000_003 * number)
            drawn = self.sample_batch(
                [prompts[row] for row in rows], n, seeded, constrained=constrained, close=close, numbers=rows.tolist()
            )
            for row, samples in zip(rows, drawn, strict=True):
                results[row] = samples
        return results

    def sample_batch(
        self,
        prompts: Sequence[Sequence[int]],
        n: int,
        config: SamplingConfig,
        *,
        constrained: bool = True,
        close: bool = True,
        numbers: Sequence[int] | None = None,
        watch: ChainWatch | None = None,
    ) -> list[list[SampledChain]]:
        """Draw n completions behind each prompt, in one batch.

        Args:
            prompts: N prompts as token ids.
            n: Samples per prompt.
            config: Temperature, nucleus, budget, seed.
            constrained: True lets only existing items follow a closed chain.
            close: True forces an answer before the budget ends; implies `constrained`.
            numbers: `SampledChain.row` of each prompt; None counts from 0.
            watch: Hears the chains while they are drawn, and may end some.

        Returns:
            N lists of n samples.

        Raises:
            ValueError: The budget is too small for an answer.
        """
        if config.max_new_tokens <= self.answer_tokens:
            raise ValueError(
                f"max_new_tokens={config.max_new_tokens} leaves no room for a chain: the answer alone takes "
                f"{self.answer_tokens} tokens; use at least {self.answer_tokens + 32}"
            )
        settings = config.settings(n, self.end_id, self.pad_id)
        input_ids, mask = pad_left(prompts, self.pad_id)
        processors = self._processors(input_ids.shape[1], config, constrained or close, close)
        drawn = sample_completions(
            self.model, input_ids, mask, settings, processors, num_samples=n, seed=config.seed, watch=watch
        )
        rows = np.asarray(range(len(prompts)) if numbers is None else numbers)
        flat = self._read(rows, n, constrained or close, drawn)
        return [flat[start : start + n] for start in range(0, len(flat), n)]

    def _processors(self, prompt_length: int, config: SamplingConfig, constrained: bool, close: bool) -> list[Any]:
        processors: list[Any] = [PaddedRowsMask(len(self.tokenizer))]
        if close:
            deadline = config.max_new_tokens - self.answer_tokens
            processors.append(CloseChain(self.constraint.start, self.end_id, prompt_length, deadline))
        if constrained:
            processors.append(TrieLogitsProcessor(self.constraint, prompt_length))
        return processors

    def _read(self, rows: NDArray[np.int64], n: int, constrained: bool, drawn: Completions) -> list[SampledChain]:
        """Turn one batch of completions into samples."""
        tokens = [ids[keep].tolist() for ids, keep in zip(drawn.tokens.cpu(), drawn.real.cpu(), strict=True)]
        texts = self.tokenizer.batch_decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return [
            self._sample(int(rows[i // n]), ids, text, float(drawn.log_probs[i]), constrained)
            for i, (ids, text) in enumerate(zip(tokens, texts, strict=True))
        ]

    def _sample(self, row: int, tokens: list[int], text: str, log_prob: float, constrained: bool) -> SampledChain:
        parsed = self.formatter.parse(text)
        item = self.item_codes.item_of(parsed.codes) if parsed.codes is not None else None
        if item is None and constrained:
            item = self._item_in(tokens)
        return SampledChain(
            row=row,
            text=text,
            chain=parsed.chain if parsed.format_ok else inner_chain(text, self.formatter.eos),
            item=item,
            log_prob=log_prob,
            num_tokens=len(tokens),
            format_ok=parsed.format_ok,
            answered=parsed.codes is not None or item is not None,
        )

    def _item_in(self, tokens: list[int]) -> int | None:
        """Item that the constraint spelled, whatever the chain before it looks like."""
        start = self.constraint.answer_start(tokens)
        if start is None:
            return None
        node = ROOT
        for token in tokens[start + len(self.constraint.prefix) :]:
            node = self.trie.child(node, token)
            if node < 0 or self.trie.leaf_items[node] >= 0:
                break
        item = int(self.trie.leaf_items[node]) if node >= 0 else -1
        return item if item >= 0 else None


def inner_chain(text: str, eos: str = "") -> str:
    """Best reading of a chain whose output does not have the trained form.

    Args:
        text: Completion.
        eos: End token to strip.

    Returns:
        What precedes `</think>`, without the opening tag.
    """
    chain = text.split(THINK_CLOSE, 1)[0]
    return (chain.removesuffix(eos) if eos else chain).strip().removeprefix(THINK_OPEN)
