"""What does CoRec add to a backbone? Contrast of whole sequences and completion of core interests, in training only.

Source: METHODS 6 (seed of CoRec). Loss: next-item loss + contrast + reconstruction, the latter two weighted per
sequence by its length. Recommending is the backbone's own, at its own cost; the decoder answers `complete` only.

Views, hidden items and noise of a sequence come from (step, sequence), not from the process, so that two processes
train to the same weights as one (BERT4Rec draws its masks per process and is left out of that promise).

Legend: B sequences, L positions, V items, C clusters, d width, z latent width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrec.backbones.sequence import SequenceModel
from genrec.backbones.transformer import initialise
from genrec.fit.sequences import Batch
from llmrec.corec.batch import SequenceBatches
from llmrec.corec.config import CoRecConfig
from llmrec.corec.gather import first_copies, gather_rows
from llmrec.corec.interests import Interests
from llmrec.corec.losses import adaptive_weights, annealed, contrast_terms, gaussian_kl, reconstruction_terms
from llmrec.enriched import EnrichedModel, UserWindow

IntArray = NDArray[np.int64]


class CoRec(EnrichedModel):
    """A backbone that learns from whole sequences too.

    Args:
        backbone: SASRec, GRU4Rec or BERT4Rec, unchanged.
        interests: clusters of the items, from training interactions.
        config: weights and switches.
        seed: of the decoder's weights.

    Raises:
        ValueError: clusters of another catalogue.
    """

    name: ClassVar[str] = "corec"
    steps: Tensor

    def __init__(self, backbone: SequenceModel, interests: Interests, config: CoRecConfig, seed: int = 0) -> None:
        """Make the parts that the configuration uses."""
        super().__init__(backbone)
        if len(interests.labels) != backbone.num_items:
            raise ValueError(
                f"clusters are of {len(interests.labels)} items, the catalogue has {backbone.num_items}; "
                "learn them on this dataset"
            )
        self.interests, self.options = interests, config
        self.batches = SequenceBatches(interests, config, backbone)
        width, latent = backbone.config.width, config.latent
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            if config.reconstruction:
                self.posterior = nn.Linear(width, 2 * latent)
                self.decoder = nn.Sequential(nn.Linear(latent, width), nn.GELU(), nn.Linear(width, width))
                self.posterior.apply(initialise)
                self.decoder.apply(initialise)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def settings(self) -> dict[str, Any]:
        """Backbone and options."""
        return {**super().settings(), **asdict(self.options), "clusters": self.interests.count}

    def collator(self) -> Callable[[Sequence[UserWindow]], Batch]:
        """Function from windows to the backbone's batch and the tensors of `SequenceBatches`."""
        inner = super().collator()
        return lambda windows: {**inner(windows), **self.batches(windows)}

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Next-item loss, contrast and reconstruction, as means with their numbers of terms, (m,) each."""
        if self.training:
            self.steps += 1
        table = self.item_table()
        inputs, targets = self.backbone.questions(batch)
        out = self.backbone.answer_loss(self.states(inputs, batch["users"], table), targets, table)
        losses, weights = [out["loss"]], [out["weight"]]
        for share, terms in self._second_losses(batch, table):
            losses.append((share * terms).mean())
            weights.append(torch.tensor(len(terms), device=terms.device))
        return {"loss": torch.stack(losses), "weight": torch.stack(weights)}

    def _second_losses(self, batch: Mapping[str, Tensor], table: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Per second loss: weight (B,) and value (B,) of each sequence."""
        options, lengths = self.options, batch["sizes"]
        rec, con = adaptive_weights(lengths, options.middle, options.scale)
        if options.fixed_weights:
            rec, con = torch.full_like(rec, 0.5), torch.full_like(con, 0.5)
        found = []
        if options.contrast:
            found.append((options.contrast_weight * con, self.contrast(batch, table)))
        if options.reconstruction:
            found.append((options.reconstruction_weight * rec, self.reconstruct(batch, table)))
        return found

    def represent(self, inputs: Tensor, last: Tensor, table: Tensor) -> Tensor:
        """Vectors (B, d) of whole sequences (B, L): the state at the position `last` (B,)."""
        nobody = torch.full_like(last, -1)
        states = self.states(inputs, nobody, table)
        return states[torch.arange(len(last), device=last.device), last]

    def contrast(self, batch: Mapping[str, Tensor], table: Tensor) -> Tensor:
        """Contrast (B,) of both views of each sequence against those of all processes."""
        views = [self.represent(batch[f"view_{name}"], batch[f"last_{name}"], table) for name in "ab"]
        own_facts = torch.cat([self._facts(batch, side) for side in range(2)])
        anchors, keys, facts = torch.cat(views), gather_rows(torch.cat(views)), gather_rows(own_facts)
        terms = contrast_terms(anchors, keys, *self._pairs(own_facts, facts), self.options.temperature)
        return terms.view(2, -1).mean(0)

    def _facts(self, batch: Mapping[str, Tensor], side: int) -> Tensor:
        """What decides who belongs together, (B, 5): sequence (2 numbers), view, last item, dominant cluster."""
        view = torch.full_like(batch["ends"], side)
        return torch.stack([*batch["keys"].unbind(1), view, batch["ends"], batch["clusters"]], dim=1)

    def _pairs(self, own: Tensor, all_: Tensor) -> tuple[list[Tensor], Tensor]:
        """Positives by kind, and keys that do not count, (N, M) bool each."""
        same = (own[:, None, :2] == all_[None, :, :2]).all(-1)
        view = own[:, None, 2] == all_[None, :, 2]
        end = (own[:, None, 3] == all_[None, :, 3]) & ~same
        cluster = (own[:, None, 4] == all_[None, :, 4]) & (own[:, None, 4] >= 0) & ~same
        ignored = (same & view) | ~first_copies(all_[:, :3])[None, :]
        kinds = {"view": same & ~view, "item": end, "cluster": cluster}
        return [kinds[name] for name in self.options.positives], ignored

    def reconstruct(self, batch: Mapping[str, Tensor], table: Tensor) -> Tensor:
        """Reconstruction and annealed KL (B,): complete the core interests of a history with hidden items."""
        mean, log_variance = self.posterior(self.represent(batch["partial"], batch["last_partial"], table)).chunk(2, -1)
        latent = mean + batch["noise"].to(mean.dtype) * (0.5 * log_variance).exp()
        wanted = torch.zeros(len(mean), self.num_items + 1, dtype=torch.bool, device=mean.device)
        wanted.scatter_(1, batch["whole"], True)  # padding falls into the last column
        scores = self.decoder(latent) @ table.T
        terms = reconstruction_terms(scores, self.core_items(batch["core"]), wanted[:, : self.num_items])
        weight = annealed(int(self.steps), self.options.kl_steps, self.options.kl_weight)
        return terms + weight * gaussian_kl(mean, log_variance)

    def core_items(self, core: Tensor) -> Tensor:
        """Items (B, V) of core clusters (B, C)."""
        labels = torch.from_numpy(self.interests.labels).to(core.device)
        return core[:, labels.clamp_min(0)] & (labels >= 0)

    @torch.no_grad()
    def complete(self, histories: Sequence[IntArray]) -> Tensor:
        """Scores (n, V) of items that are missing from histories; items outside the core interests come last.

        Without a decoder (no reconstruction) these are the next-item scores.
        """
        if not self.options.reconstruction:
            return self.score_histories(histories)
        vectors, table = self.encode(histories), self.scoring_table()
        scores = self.decoder(self.posterior(vectors).chunk(2, -1)[0]) @ table.T
        core = np.stack([self.interests.core(history, self.options.core_share) for history in histories])
        inside = self.core_items(torch.from_numpy(core).to(scores.device))
        spread = scores.max() - scores.min() + 1.0
        return torch.where(inside, scores, scores - spread)
