"""How likely is one item to be drawn as the answer? Its probability under the sampler, without drawing.

A drawn answer is right or wrong; its probability says the same with far less noise. What is computed is what
`sample_completions` does under an `AnswerConstraint`: at each code the allowed tokens alone, their logits divided by
the temperature, cut to the nucleus.

Legend: B prompts, H codes of the longest answer, M tokens that are chosen, A most tokens allowed at one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec.decoding.batching import pad_left
from genrec.decoding.caches import prompt_positions
from genrec.decoding.constraint import AnswerConstraint

Tokens = Sequence[int]


def draw_probabilities(logits: Tensor, temperature: float, top_p: float) -> Tensor:
    """Probability of each entry under temperature and nucleus.

    Args:
        logits: (M, A), -inf where an entry is forbidden.
        temperature: 0 puts everything on the largest entry.
        top_p: the smallest set of entries that holds at least this share is kept, in (0, 1].

    Returns:
        (M, A), rows sum to 1.
    """
    if temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits)
    shares = (logits / temperature).softmax(-1)
    sorted_shares, order = shares.sort(dim=-1, descending=True)
    before = sorted_shares.cumsum(-1) - sorted_shares
    kept = torch.zeros_like(shares).scatter(1, order, sorted_shares * (before < top_p))
    return kept / kept.sum(-1, keepdim=True)


@torch.inference_mode()
def answer_probabilities(
    model: Any,
    prompts: Sequence[Tokens],
    answers: Sequence[Tokens],
    constraint: AnswerConstraint,
    *,
    pad_id: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    batch_size: int = 64,
) -> NDArray[np.float64]:
    """Probability of each answer behind its prompt.

    Args:
        model: causal language model of transformers.
        prompts: B token lists that end where the answer's first code follows.
        answers: B token lists, each an item of the tree.
        constraint: what may be answered.
        pad_id: fills short prompts.
        temperature: of the draw.
        top_p: nucleus of the draw.
        batch_size: prompts per forward pass.

    Returns:
        (B,) probabilities.

    Raises:
        ValueError: an answer that the tree does not hold.
    """
    found = np.empty(len(prompts))
    order = np.argsort([len(prompt) for prompt in prompts], kind="stable")  # little padding
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        logits = _answer_logits(model, [prompts[r] for r in rows], [answers[r] for r in rows], pad_id)
        for place, row in enumerate(rows):
            found[row] = _product(logits[place], answers[row], constraint, temperature, top_p)
    return found


def _answer_logits(model: Any, prompts: Sequence[Tokens], answers: Sequence[Tokens], pad_id: int) -> list[Tensor]:
    """Float32 logits (codes, V) of each answer's codes."""
    whole = [[*prompt, *answer[:-1]] for prompt, answer in zip(prompts, answers, strict=True)]
    longest = max(map(len, answers))
    ids, mask = (part.to(model.device) for part in pad_left(whole, pad_id))
    out = model(
        input_ids=ids, attention_mask=mask, position_ids=prompt_positions(mask), logits_to_keep=longest
    ).logits.float()
    return [row[longest - len(answer) :] for row, answer in zip(out, answers, strict=True)]


def _product(logits: Tensor, answer: Tokens, constraint: AnswerConstraint, temperature: float, top_p: float) -> float:
    """Product of the probabilities of an answer's codes."""
    nodes = [constraint.trie.node(answer[:length]) for length in range(len(answer) + 1)]
    if min(nodes) < 0:
        raise ValueError(f"the tree holds no answer {list(answer)}; was it built for another catalogue?")
    allowed, real = (torch.from_numpy(part).to(logits.device) for part in constraint.allowed_tokens(nodes[:-1]))
    shares = draw_probabilities(logits.gather(1, allowed).masked_fill(~real, -torch.inf), temperature, top_p)
    chosen = allowed == torch.tensor(answer, device=logits.device)[:, None]
    return float((shares * (chosen & real)).sum(1).double().prod())
