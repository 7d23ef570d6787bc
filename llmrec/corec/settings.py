"""What can be set for CoRec and its baselines? YAML files and `--help` follow from this dataclass."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from llmrec.backbones import row_title
from llmrec.corec.config import POSITIVES, CoRecConfig
from llmrec.settings import EnrichedArguments

ARMS = ("corec", "plain", "cl4srec", "recvae", "apart")


@dataclass
class CorecArguments(EnrichedArguments):
    """Train and judge CoRec, one of its ablations or a baseline."""

    arm: str = field(
        default="corec",
        metadata={
            "help": "corec, plain (backbone), cl4srec (two views, fixed weight), recvae, or apart (modules trained "
            "apart with half of the epochs each, then added up).",
            "choices": list(ARMS),
        },
    )
    contrast: bool = field(default=True, metadata={"help": "Ablation: false = no contrast."})
    reconstruction: bool = field(default=True, metadata={"help": "Ablation: false = no reconstruction."})
    fixed_weights: bool = field(
        default=False, metadata={"help": "Ablation: true = one half each, whatever the length."}
    )
    clusters: int = field(default=32, metadata={"help": "Interest clusters, k-means on training co-occurrence."})
    contrast_weight: float = field(default=0.1, metadata={"help": "Weight of the contrast."})
    reconstruction_weight: float = field(default=0.1, metadata={"help": "Weight of the reconstruction."})
    temperature: float = field(default=0.2, metadata={"help": "Of the contrast."})
    middle: float = field(default=8.0, metadata={"help": "n0: history length at which both modules count the same."})
    scale: float = field(default=3.0, metadata={"help": "tau: how slowly one gives way to the other."})
    latent: int = field(default=32, metadata={"help": "Width of the latent variable."})
    kl_weight: float = field(default=0.01, metadata={"help": "Peak weight of the KL term."})
    kl_steps: int = field(default=1000, metadata={"help": "Steps over which the KL term rises."})
    hidden_share: float = field(default=0.3, metadata={"help": "Share of a history that reconstruction hides."})
    core_share: float = field(default=0.25, metadata={"help": "A cluster with this share of a history is core."})
    scene_users: int | None = field(
        default=4000, metadata={"help": "Users on whom truncated, noisy and hidden inputs are judged; none = all."}
    )

    def __post_init__(self) -> None:
        """Refuse values outside the choices."""
        super().__post_init__()
        if self.arm not in ARMS:
            raise ValueError(f"arm is {self.arm!r}; it must be one of {', '.join(ARMS)}")
        if self.clusters < 1:
            raise ValueError(f"clusters must be at least 1, got {self.clusters}")
        self.corec()

    def corec(self, **changed: object) -> CoRecConfig:
        """Options of the model; CL4SRec type is contrast of two views with a fixed weight."""
        names = {item.name for item in fields(CoRecConfig)} - {"positives"}
        found = {name: getattr(self, name) for name in names} | changed
        if self.arm == "cl4srec":
            found |= {"reconstruction": False, "fixed_weights": True, "positives": ("view",)}
        return CoRecConfig(**{"positives": POSITIVES, **found})

    def title(self) -> str:
        """Name of the row; the autoencoder has no backbone."""
        return self.row_name() if self.arm == "recvae" else row_title(self.row_name(), self.backbone)

    def row_name(self) -> str:
        """Name of the model in tables."""
        if self.arm != "corec":
            return {"cl4srec": "CL4SRec type", "recvae": "RecVAE type", "apart": "CoRec, trained apart"}.get(
                self.arm, self.arm
            )
        words = [f"no {name}" for name in ("contrast", "reconstruction") if not getattr(self, name)]
        return ", ".join(["CoRec", *words, *(["fixed weights"] if self.fixed_weights else [])])
