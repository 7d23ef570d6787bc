"""Which learner of codes? One interface, one registry; every learner yields the same `ItemCodes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from genrec.sid.codes import ItemCodes
from genrec.sid.health import index_health
from genrec.sid.rq_kmeans import RQKMeans, fit_rq_kmeans, level_sizes
from genrec.sid.unique import make_unique

if TYPE_CHECKING:
    from genrec.sid.flexcode.learner import ItemSignals


@dataclass
class SidConfig:
    """Settings of an index.

    Raises:
        ValueError: a setting outside its range.
    """

    method: str = field(default="rq_kmeans", metadata={"help": "learner: rq_kmeans, rq_vae, flexcode, random"})
    num_levels: int = field(default=4, metadata={"help": "codes per item, H"})
    codebook_size: int | list[int] = field(default=256, metadata={"help": "codes per level, N_l: one number or H"})
    balanced: bool = field(default=False, metadata={"help": "clusters of equal size (n / N_l, +- 1)"})
    collisions: Literal["reassign", "suffix"] = field(
        default="reassign",
        metadata={"help": "items with equal codes: move to the nearest free code, or get an extra token"},
    )
    seed: int = field(default=0, metadata={"help": "seed of the learner"})
    niter: int = field(default=15, metadata={"help": "k-means iterations per level"})
    refine_rounds: int = field(default=5, metadata={"help": "joint refinements of all codebooks"})
    options: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "settings of one learner only: RQVAEConfig or FlexCodeConfig"}
    )

    def __post_init__(self) -> None:
        if self.method not in LEARNERS:
            raise ValueError(f"method {self.method!r} is unknown; choose one of {sorted(LEARNERS)}")
        if self.collisions not in ("reassign", "suffix"):
            raise ValueError(f"collisions {self.collisions!r} is unknown; choose 'reassign' or 'suffix'")
        level_sizes(self.num_levels, self.codebook_size)


@dataclass
class LearnedCodes:
    """What a learner yields: index, health, and the quantiser (if any) that new items need."""

    item_codes: ItemCodes
    health: dict[str, Any]
    quantiser: RQKMeans | None = None


Learner = Callable[[NDArray[np.float32], SidConfig], LearnedCodes]
LEARNERS: dict[str, Learner] = {}


def register_learner(name: str) -> Callable[[Learner], Learner]:
    """Decorator: make a learner available as `SidConfig(method=name)`."""

    def add(learner: Learner) -> Learner:
        LEARNERS[name] = learner
        return learner

    return add


def learn_codes(
    method: str,
    embeddings: NDArray[np.floating[Any]],
    config: SidConfig | Mapping[str, Any] | None = None,
    signals: ItemSignals | None = None,
) -> LearnedCodes:
    """Learn unique codes for every item.

    Args:
        method: `"rq_kmeans"`, `"random"` or a registered name.
        embeddings: (num_items, d).
        config: settings as `SidConfig` or a mapping of its fields; its `method` gives way to the argument.
        signals: usage of the items; `"flexcode"` needs it, the others do not look at it.

    Returns:
        Index, health and quantiser.
    """
    fields = asdict(config) if isinstance(config, SidConfig) else dict(config or {})
    settings = SidConfig(**{**fields, "method": method})
    vectors = np.asarray(embeddings, dtype=np.float32)
    if method == "flexcode":
        from genrec.sid.flexcode.learner import learn_flexcode

        return learn_flexcode(vectors, settings, signals)
    return LEARNERS[method](vectors, settings)


@register_learner("rq_kmeans")
def learn_rq_kmeans(embeddings: NDArray[np.float32], config: SidConfig) -> LearnedCodes:
    """RQ-KMeans, then unique codes."""
    quantiser = fit_rq_kmeans(
        embeddings,
        config.num_levels,
        config.codebook_size,
        config.balanced,
        config.seed,
        config.niter,
        config.refine_rounds,
    )
    raw = quantiser.fitted_codes
    item_codes, _ = make_unique(raw, embeddings, quantiser, config.collisions, asdict(config))
    return LearnedCodes(item_codes, index_health(item_codes, raw, embeddings, quantiser), quantiser)


@register_learner("rq_vae")
def learn_rq_vae(embeddings: NDArray[np.float32], config: SidConfig) -> LearnedCodes:
    """TIGER-type RQ-VAE; see `genrec.sid.rqvae.learner`."""
    from genrec.sid.rqvae import learner

    return learner.learn_rq_vae(embeddings, config)


@register_learner("flexcode")
def learn_flexcode_blindly(embeddings: NDArray[np.float32], config: SidConfig) -> LearnedCodes:
    """FlexCode without usage counts; says what is missing. `learn_codes` passes them on."""
    from genrec.sid.flexcode.learner import learn_flexcode

    return learn_flexcode(embeddings, config, None)


@register_learner("random")
def learn_random(embeddings: NDArray[np.float32], config: SidConfig) -> LearnedCodes:
    """Distinct codes drawn at random: what an index is worth that knows nothing of the items (ablation)."""
    sizes = level_sizes(config.num_levels, config.codebook_size)
    if len(embeddings) > prod(sizes):
        raise ValueError(f"{len(embeddings)} items do not fit into {prod(sizes)} codes {sizes}; raise codebook_size")
    codes = _distinct_rows(np.random.default_rng(config.seed), sizes, len(embeddings))
    item_codes = ItemCodes(codes, sizes, config=asdict(config))
    return LearnedCodes(item_codes, index_health(item_codes))


def _distinct_rows(rng: np.random.Generator, sizes: tuple[int, ...], count: int) -> NDArray[np.int64]:
    """(count, H) distinct code tuples in random order; a large space is sampled, a small one shuffled."""
    if prod(sizes) <= 4 * count:
        numbers = rng.permutation(prod(sizes))[:count]
        return np.stack(np.unravel_index(numbers, sizes), axis=1)
    rows = np.empty((0, len(sizes)), dtype=np.int64)
    while len(rows) < count:
        drawn = rng.integers(sizes, size=(count - len(rows), len(sizes)))
        rows = np.unique(np.concatenate([rows, drawn]), axis=0)
    return rng.permutation(rows)
