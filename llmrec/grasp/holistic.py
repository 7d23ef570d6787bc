"""How does what others like enter a user's sequence? Fine-grained and global sigmoid attention, then an MLP.

Source: METHODS 2 (arXiv 2511.20177). Where the paper is silent: the user's query is the same at every position and sees
the items up to it (all items for BERT4Rec, which masks what it asks for); the query of the global attention adds the
position's own item; the result is added to the item vectors, so that a fresh block is nearly the plain backbone.

Legend: B sequences, L positions, d width, w text width. `seen` and masks are True where something may be attended to.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
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

    def weights(self, query: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """Weights (B, Q, K) of tokens (B, K, d) for queries (B, Q, d)."""
        count = mask.sum(-1, keepdim=True).clamp_min(1).to(query.dtype)
        if not self.config.attention:
            return mask / count
        bias = None if self.config.softmax else self.bias - count.log()
        return attention_weights(self.query(query), self.key(tokens), bias, mask, softmax=self.config.softmax)

    def forward(self, query: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """Mixed tokens (B, Q, d)."""
        return self.weights(query, tokens, mask) @ self.value(tokens)


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

    def forward(
        self, items: Tensor, similar_items: Tensor, users: Tensor, similar_users: Tensor, known: Tensor, seen: Tensor
    ) -> Tensor:
        """Enriched item vectors.

        Args:
            items: (B, L, d) item vectors.
            similar_items: (B, L, w) text of the items like them.
            users: (B, w) the users' own text.
            similar_users: (B, w) text of the users like them.
            known: (B,), True for users with a text.
            seen: (B, L, L), True where a position may look at another.

        Returns:
            (B, L, d).
        """
        normed, user = self.norm(items), self.user_vectors(users, known)
        fine = self.fine(user, normed, seen)  # one query for all positions, each with its own mask
        parts = [normed, fine if self.config.attention else fine + user]  # plain means would forget who asks
        if self.config.global_features:
            parts.append(self.wide(normed + user, *self.tokens(similar_items, similar_users, known, seen)))
        return items + self.adapter(torch.cat(parts, dim=-1))

    def user_vectors(self, users: Tensor, known: Tensor) -> Tensor:
        """Queries (B, 1, d): the projected text, or one learnt vector for users that are not known."""
        return torch.where(known[:, None], self.user(users), self.unknown)[:, None]

    def tokens(
        self, similar_items: Tensor, similar_users: Tensor, known: Tensor, seen: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tokens (B, 1 + L, d) of the global attention, similar users first, and its mask (B, L, 1 + L)."""
        users, items = self.others
        tokens = torch.cat([users(similar_users)[:, None], items(similar_items)], dim=1)
        first = known[:, None, None].expand(-1, seen.shape[1], 1)
        return self.others_norm(tokens), torch.cat([first, seen], dim=2)


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
