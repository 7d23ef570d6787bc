"""How do item vectors and usage become FlexCode's index? `method: flexcode`: two steps, or jointly with a decoder.

Legend: n items, D = Ds + Dc width of the fused vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from genrec.fit.loop import FitResult
from genrec.sid.codes import PAD, ItemCodes
from genrec.sid.flexcode.assemble import Half, Sid, Sids, unique_sids
from genrec.sid.flexcode.config import FlexCodeConfig
from genrec.sid.flexcode.joint import fit_jointly
from genrec.sid.flexcode.model import FlexCode, ItemTables
from genrec.sid.flexcode.neighbours import nearest_texts
from genrec.sid.flexcode.report import alpha_by_popularity, book_usage
from genrec.sid.flexcode.usage import ItemUsage
from genrec.sid.health import index_health
from genrec.sid.rqvae.learner import fit_catalogue, options_of, standardised
from genrec.sid.rqvae.model import RQVAE

if TYPE_CHECKING:
    from genrec.sid.learners import LearnedCodes, SidConfig

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ItemSignals:
    """What FlexCode knows beside the fused vectors.

    Attributes:
        text_width: Ds, columns of the fused vectors that came from text.
        usage: counts from training interactions.
        train: training histories, needed by joint training only.
    """

    text_width: int
    usage: ItemUsage
    train: Sequence[NDArray[np.int64]] | None = None


def learn_flexcode(embeddings: Floats, config: SidConfig, signals: ItemSignals | None) -> LearnedCodes:
    """Train both codebooks and the router, round, and make the SIDs unique.

    Args:
        embeddings: (n, D), text columns first.
        config: `num_levels` is the mean budget; `options` are fields of `FlexCodeConfig`.
        signals: where the text ends, and usage.

    Returns:
        Index and health with alpha against popularity; no quantiser, see `learn_rq_vae`.

    Raises:
        ValueError: no collaborative columns, no usage, or a setting out of range.
    """
    from genrec.sid.learners import LearnedCodes

    options: FlexCodeConfig = options_of(FlexCodeConfig, config.options, "flexcode")
    options.check_budget(config.num_levels)
    size = _one_size(config)
    tables, usage = _tables(embeddings, signals)
    model = FlexCode(tables, size, config.num_levels, options, config.seed)
    result = _fit(model, len(embeddings), options, signals, config.seed)
    alpha, cf, sem = (part.numpy() for part in model.route())
    sids = Sids(
        _half("cf", model.collaborative, tables.collaborative, cf),
        _half("sem", model.semantic, tables.semantic, sem),
    )
    final, collisions = unique_sids(sids, usage.counts)
    settings = {**asdict(config), "options": asdict(options), "books": [list(book) for book in sids.books]}
    item_codes = _item_codes(final, sids, settings)
    left, right = (float(part.mean()) for part in model.errors())
    health = {
        **index_health(item_codes),
        **collisions,
        "levels": book_usage(item_codes),
        "alpha_by_popularity": alpha_by_popularity(alpha, cf, sem, usage.counts),
        "share_of_variance": {"collaborative": left, "semantic": right},
        "training": {
            "epoch": result.best["epoch"],
            "revived": {"cf": model.collaborative.revived, "sem": model.semantic.revived},
            "joint": options.joint,
            **({"next_token": result.best["next_token"]} if "next_token" in result.best else {}),
        },
    }
    return LearnedCodes(item_codes, health)


def _fit(model: FlexCode, size: int, options: FlexCodeConfig, signals: ItemSignals | None, seed: int) -> FitResult:
    """Codes alone over the rows of the catalogue, or along with a decoder over training histories."""
    if options.joint == 0:
        return fit_catalogue(model, torch.arange(size), model.quality, options, seed)
    if signals is None or signals.train is None:
        raise ValueError("joint training reads training histories; pass ItemSignals(..., train=split.train)")
    return fit_jointly(model, signals.train, options, seed)


def _one_size(config: SidConfig) -> int:
    """Codes per level; collisions are always reassigned, because a suffix would lengthen SIDs past their budget."""
    if not isinstance(config.codebook_size, int):
        raise ValueError(f"flexcode needs one codebook_size for all levels, got {config.codebook_size}")
    if config.collisions != "reassign":
        raise ValueError("flexcode reassigns colliding items; set collisions to 'reassign'")
    return config.codebook_size


def _tables(embeddings: Floats, signals: ItemSignals | None) -> tuple[ItemTables, ItemUsage]:
    """Fused vectors and usage as tensors."""
    if signals is None:
        raise ValueError("flexcode needs usage counts of the training split; pass signals=ItemSignals(...)")
    if not 0 < signals.text_width < embeddings.shape[1]:
        raise ValueError(
            f"flexcode needs text and collaborative vectors, but {signals.text_width} of {embeddings.shape[1]} columns "
            "are text; set collaborative to true"
        )
    usage = signals.usage
    if len(usage.counts) != len(embeddings):
        raise ValueError(f"usage of {len(usage.counts)} items for {len(embeddings)} vectors")
    near, closeness = nearest_texts(embeddings[:, : signals.text_width])
    tables = ItemTables(
        collaborative=torch.from_numpy(standardised(embeddings[:, signals.text_width :])),
        semantic=torch.from_numpy(standardised(embeddings[:, : signals.text_width])),
        features=torch.from_numpy(usage.features()),
        reliability=torch.from_numpy(usage.reliability()),
        strata=torch.from_numpy(usage.strata()),
        known=torch.from_numpy(usage.counts > 0),
        near=torch.from_numpy(near),
        closeness=torch.from_numpy(closeness),
    )
    return tables, usage


def _half(kind: str, model: RQVAE, inputs: torch.Tensor, counts: NDArray[np.int64]) -> Half:
    """Codes of one RQ-VAE for the whole catalogue."""
    latents, quantiser = model.latents(inputs).numpy(), model.quantiser()
    return Half(kind, quantiser.encode(latents), counts, latents, quantiser)


def _item_codes(final: list[Sid], sids: Sids, settings: dict[str, Any]) -> ItemCodes:
    """Ragged SIDs as `ItemCodes`."""
    width, total = max(map(len, final)), sum(size for _, size in sids.books)
    codes = np.full((len(final), width), PAD, dtype=np.int64)
    for item, sid in enumerate(final):
        codes[item, : len(sid)] = sid
    return ItemCodes(codes, (total,) * width, config=settings)
