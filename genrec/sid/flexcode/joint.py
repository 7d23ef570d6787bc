"""How do codes learn what a decoder needs? FlexCode trained along with a small decoder's next-token loss.

The decoder reads a history as quantised item vectors (a GRU) and predicts the next item's tokens one by one, each from
the state and the codewords before it. A token counts as much as the item's soft mask says, so that the router also
feels which kind of token is easier to predict. The decoder is thrown away afterwards; the codes stay.
Legend: B histories, L items of a history, U different items of a batch, T tokens per kind, d width of codewords.
Source: METHODS 3 (`l2 * next-token CE`) and arXiv 2511.20673; the decoder is ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from genrec.fit.alone import AloneAccelerator
from genrec.fit.config import FitConfig
from genrec.fit.loop import FitResult, fit
from genrec.fit.sequences import next_item_windows, pad_right
from genrec.sid.flexcode.config import FlexCodeConfig
from genrec.sid.flexcode.model import FlexCode
from genrec.sid.rqvae.learner import QUALITY
from genrec.sid.rqvae.model import Passed

KINDS = 2


def token_loss(logits: Tensor, codes: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of tokens, each weighed by how much of it the item uses.

    Args:
        logits: (N, T, C) scores of the codes of each position.
        codes: (N, T) true codes.
        mask: (N, T) shares in [0, 1]; gradient flows here too.

    Returns:
        A scalar in nats: an item's sum of mask times cross-entropy, over T. Not over the mask's own sum: then a cheap
        further token would lower the loss of an item that it makes no easier to predict.
    """
    values = F.cross_entropy(logits.flatten(0, 1), codes.flatten(), reduction="none").view_as(mask)
    return (values * mask).sum(dim=1).mean() / mask.shape[1]


class NextTokenDecoder(nn.Module):
    """A GRU over quantised items, and one output per kind and position.

    Args:
        latent: d.
        positions: T.
        size: C, codes per position.
        width: of the GRU.
        seed: of the initial weights.
    """

    def __init__(self, latent: int, positions: int, size: int, width: int, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.reader = nn.GRU(KINDS * latent, width, batch_first=True)
            self.before = nn.Linear(KINDS * latent, width)
            self.outputs = nn.ModuleList(nn.Linear(width, size) for _ in range(KINDS * positions))

    def states(self, items: Tensor) -> Tensor:
        """State (B, L, width) after each of the quantised items (B, L, 2 d)."""
        return self.reader(items)[0]  # type: ignore[no-any-return]

    def logits(self, states: Tensor, chosen: Tensor, masks: Tensor) -> Tensor:
        """Scores of each token of the next item.

        Args:
            states: (N, width).
            chosen: (N, 2, T, d) codewords of the next item, collaborative ones first.
            masks: (N, 2, T) how much of each is used.

        Returns:
            (N, 2 T, C): token n sees the state and the codewords before it only.
        """
        used = chosen.detach() * masks.detach()[..., None]
        sums = used.cumsum(2) - used  # (N, 2, T, d), what lies before each position within its kind
        zero = torch.zeros_like(sums[:, 0])
        whole = used[:, 0].sum(1, keepdim=True).expand_as(sums[:, 1])  # semantic tokens follow all collaborative ones
        seen = torch.cat([torch.cat([sums[:, 0], zero], -1), torch.cat([whole, sums[:, 1]], -1)], dim=1)
        hidden = torch.tanh(states[:, None] + self.before(seen))
        return torch.stack([layer(hidden[:, n]) for n, layer in enumerate(self.outputs)], dim=1)


class JointFlexCode(nn.Module):
    """Both parts under one loss.

    Args:
        codes: FlexCode.
        seed: of the decoder.
    """

    def __init__(self, codes: FlexCode, seed: int = 0) -> None:
        super().__init__()
        self.codes, c = codes, codes.config
        book = codes.semantic.books[0].codewords
        self.decoder = NextTokenDecoder(book.shape[1], len(codes.semantic.books), len(book), c.joint_width, seed)

    def loss(self, windows: Tensor) -> Tensor:
        """FlexCode's loss over the items of windows (B, L + 1), -1 padded, and `joint` times the decoder's."""
        items, place = torch.unique(windows[windows >= 0], return_inverse=True)
        total, passes, masks = self.codes.losses(items)
        return total + self.codes.config.joint * self.next_token(windows, place, passes, masks)

    def next_token(
        self, windows: Tensor, place: Tensor, passes: tuple[Passed, Passed], masks: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Mean next-token loss of all positions that have a next item.

        Args:
            windows: (B, L + 1) items, -1 padded at the right.
            place: row in the passes of each real entry of the windows, in reading order.
            passes: of the U different items, collaborative and semantic.
            masks: (U, T) each.
        """
        table = torch.full_like(windows, 0).masked_scatter(windows >= 0, place)
        vectors = torch.cat([passes[0].quantised, passes[1].quantised], dim=1)
        states = self.decoder.states(vectors[table[:, :-1]])
        real = windows[:, 1:] >= 0
        following = table[:, 1:][real]
        chosen = torch.stack([passes[0].chosen, passes[1].chosen], dim=1)[following]
        shares = torch.stack(masks, dim=1)[following]
        codes = torch.cat([passes[0].codes, passes[1].codes], dim=1)[following]
        return token_loss(self.decoder.logits(states[real], chosen, shares), codes, shares.flatten(1))


def fit_jointly(codes: FlexCode, train: Sequence[NDArray[np.int64]], config: FlexCodeConfig, seed: int) -> FitResult:
    """Train codes and decoder on training histories, on this process alone; the codes are left in their best state.

    A catalogue pass precedes each validation, because items that no history holds must keep good codes too.

    Args:
        codes: FlexCode.
        train: training histories.
        config: its `epochs` count passes over the histories.
        seed: of order, decoder and revival.

    Raises:
        ValueError: no history has two items.
    """
    model = JointFlexCode(codes, seed)
    windows = next_item_windows(train, config.joint_history)
    rest = torch.arange(len(codes.tables.features))

    def collate(rows: Sequence[NDArray[np.int64]]) -> Tensor:
        padded = pad_right(list(rows), -1)
        drawn = rest[torch.randperm(len(rest))[: padded.shape[0] * 4]]  # items that no history of the batch holds
        alone = torch.full((len(drawn), padded.shape[1]), -1)
        alone[:, 0] = drawn
        return torch.cat([padded, alone])

    held = collate_held(windows, config.joint_batch)

    def quality() -> dict[str, float]:
        with torch.no_grad():
            items, place = torch.unique(held[held >= 0], return_inverse=True)
            _, passes, masks = codes.losses(items)
            found = codes.quality()
            found["next_token"] = float(model.next_token(held, place, passes, masks))
            return {**found, "minus_both": found[QUALITY] - config.joint * found["next_token"]}

    schedule = FitConfig(
        epochs=config.epochs, batch_size=config.joint_batch, learning_rate=config.learning_rate, schedule="cosine",
        monitor="minus_both", eval_every=max(1, config.epochs // 10), patience=0, seed=seed,
    )  # fmt: skip
    return fit(model, windows, collate, quality, schedule, accelerator=AloneAccelerator())


def collate_held(windows: Sequence[NDArray[np.int64]], count: int) -> Tensor:
    """The first windows as a batch: a running figure of the decoder's loss, on training data."""
    return pad_right(list(windows[:count]), -1)
