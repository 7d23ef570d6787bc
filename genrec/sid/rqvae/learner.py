"""How do item vectors become codes by way of an RQ-VAE? The TIGER-type learner, `method: rq_vae`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrec.fit.alone import AloneAccelerator
from genrec.fit.config import FitConfig
from genrec.fit.loop import FitResult, fit
from genrec.sid.health import index_health
from genrec.sid.rq_kmeans import level_sizes, reconstruction_error
from genrec.sid.rqvae.model import RQVAE, RQVAEConfig
from genrec.sid.unique import make_unique

if TYPE_CHECKING:
    from genrec.sid.learners import LearnedCodes, SidConfig

Floats = NDArray[np.float32]
QUALITY = "minus_error"


def learn_rq_vae(embeddings: Floats, config: SidConfig) -> LearnedCodes:
    """Train an RQ-VAE on embeddings (n, D), then make its codes unique in latent space.

    Args:
        embeddings: (n, D).
        config: levels, codebook sizes and seed; `config.options` are fields of `RQVAEConfig`.

    Returns:
        Index and health; no quantiser, because that would have to encode vectors that come later.
    """
    from genrec.sid.learners import LearnedCodes

    options = options_of(RQVAEConfig, config.options, "rq_vae")
    inputs = torch.from_numpy(standardised(embeddings))
    model = RQVAE(inputs.shape[1], level_sizes(config.num_levels, config.codebook_size), options, config.seed)
    model.start_codebooks(inputs, config.seed)

    def quality() -> dict[str, float]:
        return {QUALITY: -reconstruction_error(inputs.numpy(), model(inputs).reconstruction.numpy())}

    result = fit_catalogue(model, inputs, quality, options, config.seed)
    latents, quantiser = model.latents(inputs).numpy(), model.quantiser()
    raw = quantiser.encode(latents)
    settings = {**asdict(config), "options": asdict(options)}
    item_codes, _ = make_unique(raw, latents, quantiser, config.collisions, settings)
    health = index_health(item_codes, raw, latents, quantiser)
    health["training"] = {
        "decoder_share_of_variance": -result.best[QUALITY],
        "epoch": result.best["epoch"],
        "revived": model.revived,
    }
    return LearnedCodes(item_codes, health)


def standardised(vectors: Floats) -> Floats:
    """Rows (n, D) centred and scaled so that the mean squared length is 1: errors become shares of the variance."""
    centred = vectors - vectors.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=1).mean())
    return np.asarray(centred / scale if scale > 0 else centred, dtype=np.float32)


def options_of(kind: type[Any], options: Mapping[str, Any], method: str) -> Any:
    """A learner's own settings from a mapping.

    Raises:
        ValueError: a name that this learner does not know.
    """
    known = kind.__dataclass_fields__
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(f"options of {method} hold {', '.join(unknown)}, but there are only {', '.join(known)}")
    return kind(**options)


def fit_catalogue(model: nn.Module, inputs: Tensor, validate: Any, config: Any, seed: int) -> FitResult:
    """Train a model over the rows of a catalogue with the project's loop, on this process alone.

    Args:
        model: its `loss` takes what `inputs` holds, (B, ...) rows.
        inputs: (n, ...).
        validate: returns `minus_error`; the best state is kept.
        config: `epochs`, `batch_size`, `learning_rate`.
        seed: of order and revival.
    """

    def collate(rows: Sequence[int]) -> Tensor:
        return inputs[torch.tensor(rows)]

    schedule = FitConfig(
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        schedule="cosine",
        monitor=QUALITY,
        eval_every=max(1, config.epochs // 10),
        patience=0,
        seed=seed,
    )
    return fit(model, range(len(inputs)), collate, validate, schedule, accelerator=AloneAccelerator())
