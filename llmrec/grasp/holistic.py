"""How does what others like enter a user's sequence? Fine-grained and global sigmoid attention, then an MLP.

Source: METHODS 2 (arXiv 2511.20177). Where the paper is silent: the user's query is the same at every position and sees
the items up to it (all items for BERT4Rec, which masks what it asks for); the query of the global attention adds the
position's own item; the result is added to the item vectors, so that a fresh block is nearly the plain backbone.

Legend: B sequences, L positions, d width, w text width. `seen` and masks are True where something may be attended to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genrec.backbones.transformer import initialise
from llmrec.grasp.attention import attention_weights


@dataclass(frozen=True)
class HolisticConfig:
    """The ablation switches.

    Attributes:
        attention: False: plain means instead of learnt weights.
        similar: False: an item's and a user's own text in the place of those like them.
        global_features: False: no global attention.
        softmax: True: softmax weights instead of sigmoid.
    """

    attention: bool = True
    similar: bool = True
    global_features: bool = True
    softmax: bool = False


class Attend(nn.Module):
    """One attention: projections, a learnt bias on top of `-log n`, or plain means.

    Args:
        width: d.
        config: switches.
    """

    def __init__(self, width: int, config: HolisticConfig) -> None:
        """Make the projections that this configuration uses."""
        super().__init__()
        self.config = config
        self.value = nn.Linear(width, width)
        if config.attention:
            self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        if config.attention and not config.softmax:
            self.bias = nn.Parameter(torch.zeros(()))

    def project(self, tokens: Tensor, share: Tensor) -> list[Tensor]:
        """A token's value as the adapter's share reads it and, where weights are learnt, its key; each (..., d)."""
        value = F.linear(self.value(tokens), share)
        return [value, self.key(tokens)] if self.config.attention else [value]

    def weights(self, query: Tensor, key: Tensor, mask: Tensor, count: Tensor | None = None) -> Tensor:
        """Weights (B, Q, K) of keys (B, K, d) for projected queries (B, Q, d); `count` (B, Q, 1): keys in the mask."""
        count = (mask.sum(-1, keepdim=True, dtype=query.dtype) if count is None else count).clamp_min(1)
        if not self.config.attention:
            return mask / count
        bias = None if self.config.softmax else self.bias - count.log()
        return attention_weights(query, key, bias, mask, softmax=self.config.softmax)


class HolisticAttention(nn.Module):
    """Adds what the descriptions say to embedded items.

    Args:
        width: d.
        text_width: w.
        config: switches.
        dropout: of the MLP.
    """

    def __init__(self, width: int, text_width: int, config: HolisticConfig, dropout: float) -> None:
        """Make and initialise the weights."""
        super().__init__()
        self.config = config
        self.user, self.unknown = nn.Linear(text_width, width), nn.Parameter(torch.zeros(width))
        self.norm, self.fine = nn.LayerNorm(width), Attend(width, config)
        branches = 2
        if config.global_features:
            self.others = nn.ModuleList(nn.Linear(text_width, width) for _ in range(2))  # users, items
            self.others_norm, self.wide = nn.LayerNorm(width), Attend(width, config)
            branches = 3
        self.adapter = nn.Sequential(
            nn.Linear(branches * width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width)
        )
        self.apply(initialise)

    def parts(self, items: Tensor, similar_items: Tensor) -> list[Tensor]:
        """All that one item gives by itself, whoever asks: when serving, the rows of a table.

        Args:
            items: (..., d) item vectors.
            similar_items: (..., w) text of the items like them.

        Returns:
            Tensors (..., d): the vector, what the adapter's first layer makes of it, value and key of the fine-grained
            attention, value, key and query of the global one; only those that this configuration uses. Values have
            gone through the first layer too: it is linear, so it may be taken before the weights.
        """
        normed, shares = self.norm(items), self.shares()
        own = F.linear(normed, shares[0], self._first.bias)
        found = [items, own, *self.fine.project(normed, shares[1])]
        if self.config.global_features:
            found += self.wide.project(self.others_norm(self.others[1](similar_items)), shares[2])
            found += [self.wide.query(normed)] if self.config.attention else []
        return found

    def person(self, texts: Tensor, similar_users: Tensor, known: Tensor) -> list[Tensor]:
        """All that one user gives by itself, whatever the history: when serving, the rows of a table.

        Args:
            texts: (B, w) the users' own text.
            similar_users: (B, w) text of the users like them.
            known: (B,), True for users with a text.

        Returns:
            Tensors (B, d): the query of the fine-grained attention (without learnt weights: what the adapter reads of
            the user); with global attention what the user adds to its queries, value and key of the similar users;
            only those that this configuration uses.
        """
        user, shares = torch.where(known[:, None], self.user(texts), self.unknown), self.shares()
        learnt = self.config.attention
        found = [self.fine.query(user) if learnt else F.linear(user, shares[1])]
        if self.config.global_features:
            found += [F.linear(user, self.wide.query.weight)] if learnt else []
            found += self.wide.project(self.others_norm(self.others[0](similar_users)), shares[2])
        return found

    def forward(self, parts: Sequence[Tensor], person: Sequence[Tensor], known: Tensor, seen: Tensor) -> Tensor:
        """Enriched item vectors.

        Args:
            parts: `parts` of the items, each (B, L, d).
            person: `person` of the users, each (B, d).
            known: (B,), True for users with a text.
            seen: (B, L, L), True where a position may look at another.

        Returns:
            (B, L, d).
        """
        count, learnt = seen.sum(-1, keepdim=True, dtype=parts[0].dtype), self.config.attention
        user = person[0][:, None]
        query, key = (user, parts[3]) if learnt else (parts[2], parts[2])
        hidden = parts[1] + self.fine.weights(query, key, seen, count) @ parts[2]
        if not learnt:
            hidden = hidden + user  # plain means would forget who asks
        if self.config.global_features:
            weights, values = self.global_attention(parts, person, known, seen, count)
            hidden = hidden + weights @ values
        _, gelu, dropout, last = self.adapter
        return parts[0] + last(dropout(gelu(hidden)))

    def shares(self) -> Sequence[Tensor]:
        """The adapter's first weights by what they read: the item, the fine-grained attention, the global one."""
        return self._first.weight.split(self._first.out_features, dim=1)

    @property
    def _first(self) -> nn.Linear:
        """The adapter's first layer."""
        return cast(nn.Linear, self.adapter[0])

    def global_attention(
        self,
        parts: Sequence[Tensor],
        person: Sequence[Tensor],
        known: Tensor,
        seen: Tensor,
        count: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Weights (B, L, 1 + L) and values (B, 1 + L, d) of similar users, who come first, and similar items."""
        count = None if count is None else count + known[:, None, None]
        mask = torch.cat([known[:, None, None].expand(-1, seen.shape[1], 1), seen], dim=2)
        if not self.config.attention:
            values = torch.cat([person[1][:, None], parts[3]], dim=1)
            return self.wide.weights(values, values, mask, count), values
        first = (one[:, None] for one in person[2:4])
        values, keys = (torch.cat(pair, dim=1) for pair in zip(first, parts[4:6], strict=True))
        return self.wide.weights(parts[6] + person[1][:, None], keys, mask, count), values


def visible(inputs: Tensor, num_items: int, causal: bool) -> Tensor:
    """Which positions hold an item that a position may look at.

    Args:
        inputs: (B, L) ids; padding and mask are `num_items` and above.
        num_items: catalogue size.
        causal: positions see themselves and earlier ones only.

    Returns:
        (B, L, L), True where row position may look at column position.
    """
    seen = (inputs < num_items)[:, None, :].expand(-1, inputs.shape[1], -1)
    return seen.tril() if causal else seen
