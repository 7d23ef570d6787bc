"""The other way to an item behind a vLLM chain: no code in the engine, a round of scoring per level of the trie.

vLLM samples the chains itself (its nucleus, a seed per request); then every level asks for the log-probabilities of
exactly the children, `allowed_token_ids` and `logprob_token_ids`, and the item is drawn here. Exact, and kept for the
comparison only. Prompts must not be cut over two steps (`enable_chunked_prefill=False`): on a CPU vLLM 0.31 ends with
"CPU Generator does not use offset" when a request with a seed is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from genrec.decoding.trie import ROOT
from gream.recommend.recommender import GreamRecommender
from gream.recommend.runner import Runner
from gream.recommend.sampling import SampledChain, SamplingConfig

MOST_REQUESTS = 1024


class RoundsRunner(Runner):
    """Chains of vLLM, items level by level.

    Args:
        recommender: The checkpoint.
        engine: A `vllm.LLM` on the same weights, without our processor.
        top_k: Tokens kept before the nucleus; 0 keeps all.
    """

    def __init__(self, recommender: GreamRecommender, engine: Any, top_k: int = 0) -> None:
        super().__init__(recommender.parts)
        self.engine, self.top_k = engine, top_k

    def sample(self, histories: Sequence[Any], n: int, config: SamplingConfig, **_: Any) -> list[list[SampledChain]]:
        """Closed chains with an item each."""
        prompts = [self.reasoning_ids(history) for history in histories]
        chains = self._chains(prompts, n, config)
        flat = [(row, tokens, total) for row, made in enumerate(chains) for tokens, total in made]
        opened = [[*prompts[row], *tokens, *self.constraint.prefix] for row, tokens, _ in flat]
        items = self._items(opened, config, np.random.default_rng(config.seed))
        whole = [
            [*tokens, *self.constraint.prefix, *item, *self.constraint.ending]
            for (_, tokens, _), (item, _) in zip(flat, items, strict=True)
        ]
        texts = self.tokenizer.batch_decode(whole, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        samples = [
            self._sample(row, ids, text, total + more, True)
            for (row, _, total), (_, more), ids, text in zip(flat, items, whole, texts, strict=True)
        ]
        return [samples[start : start + n] for start in range(0, len(samples), n)]

    def _chains(self, prompts: list[list[int]], n: int, config: SamplingConfig) -> list[list[tuple[list[int], float]]]:
        from vllm import SamplingParams

        marker, budget = list(self.constraint.start), config.max_new_tokens - self.answer_tokens
        rows = int(self.model.get_output_embeddings().weight.shape[0])
        never = {str(token): -100.0 for token in (*range(len(self.tokenizer), rows), self.end_id)}
        params = [
            SamplingParams(
                n=n, temperature=config.temperature, top_p=config.top_p, top_k=self.top_k, logprobs=0,
                max_tokens=budget + len(marker), detokenize=False, seed=config.seed + 1_000_003 * row,
                stop_token_ids=marker, logit_bias={int(k): v for k, v in never.items()},
            )
            for row in range(len(prompts))
        ]  # fmt: skip
        found = []
        for output in self._run(prompts, params, MOST_REQUESTS // n):
            made = [(list(sample.token_ids), float(sample.cumulative_logprob)) for sample in output.outputs]
            found.append([(t if t[-len(marker) :] == marker else [*t[:budget], *marker], s) for t, s in made])
        return found

    def _items(self, prompts: list[list[int]], config: SamplingConfig, random: Any) -> list[tuple[list[int], float]]:
        tokens: list[list[int]] = [[] for _ in prompts]
        nodes, sums = [ROOT] * len(prompts), [0.0] * len(prompts)
        left = list(range(len(prompts)))
        while left:
            children = {row: self.trie.children_of(nodes[row]).tolist() for row in left}
            scores = self._score([[*prompts[row], *tokens[row]] for row in left], [children[row] for row in left])
            for row, values in zip(left, scores, strict=True):
                log_probs = np.array(values) - np.logaddexp.reduce(values)
                choice = _choose(log_probs, config, random)
                sums[row] += float(log_probs[choice])
                tokens[row].append(children[row][choice])
                nodes[row] = self.trie.child(nodes[row], children[row][choice])
            left = [row for row in left if self.trie.leaf_items[nodes[row]] < 0]
        return list(zip(tokens, sums, strict=True))

    def _score(self, prompts: list[list[int]], tokens: list[list[int]]) -> list[list[float]]:
        from vllm import SamplingParams

        params = [
            SamplingParams(temperature=0.0, max_tokens=1, logprob_token_ids=ids, allowed_token_ids=ids,
                           detokenize=False, ignore_eos=True)
            for ids in tokens
        ]  # fmt: skip
        outputs = self._run(prompts, params, MOST_REQUESTS)
        return [[o.outputs[0].logprobs[0][t].logprob for t in ids] for o, ids in zip(outputs, tokens, strict=True)]

    def _run(self, prompts: list[list[int]], params: list[Any], step: int) -> list[Any]:
        found: list[Any] = []
        for first in range(0, len(prompts), step):
            wrapped = [{"prompt_token_ids": prompt} for prompt in prompts[first : first + step]]
            found += self.engine.generate(wrapped, params[first : first + step], use_tqdm=False)
        return found


def _choose(log_probs: Any, config: SamplingConfig, random: Any) -> int:
    """A position, at the temperature and from the nucleus."""
    if config.temperature == 0:
        return int(log_probs.argmax())
    share = np.exp(log_probs / config.temperature)
    share /= share.sum()
    order = np.argsort(-share, kind="stable")
    kept = order[np.cumsum(share[order]) - share[order] < config.top_p]
    return int(random.choice(kept, p=share[kept] / share[kept].sum()))


def through_rounds(recommender: GreamRecommender, engine: Any, top_k: int = 0) -> GreamRecommender:
    """The recommender with its chains and items from rounds."""
    made = GreamRecommender(recommender.parts)
    made.runner = RoundsRunner(recommender, engine, top_k)
    return made
