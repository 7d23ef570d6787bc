"""How does a setting become a trained model? The arm around its backbone; two fits for the one trained apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from genrec.data.files import read_json
from genrec.data.split import Split
from genrec.run.rankers.train import train_ranker
from genrec.run.session import Session
from llmrec.backbones import SHAPES, make_backbone
from llmrec.corec.apart import Apart
from llmrec.corec.interests import Interests
from llmrec.corec.model import CoRec
from llmrec.corec.recvae import RecVAE, RecVAEConfig
from llmrec.corec.settings import CorecArguments
from llmrec.enriched import EnrichedModel


def make_corec(arguments: CorecArguments, num_items: int, interests: Interests, **changed: object) -> CoRec:
    """A fresh CoRec; `changed` replaces options of its config."""
    backbone = make_backbone(arguments.backbone, num_items, arguments.backbone_shape(), arguments.seed)
    return CoRec(backbone, interests, arguments.corec(**changed), arguments.seed)


def train_arm(
    arguments: CorecArguments, num_items: int, interests: Interests, split: Split, session: Session
) -> tuple[Any, dict[str, Any]]:
    """Train the chosen arm.

    Args:
        arguments: settings.
        num_items: catalogue size.
        interests: clusters of the items.
        split: training and validation.
        session: the running stage.

    Returns:
        The model, and facts of its training.
    """
    if arguments.arm == "apart":
        return _train_apart(arguments, num_items, interests, split, session)
    model: Any
    if arguments.arm == "recvae":
        model = RecVAE(num_items, RecVAEConfig(width=arguments.width, dropout=arguments.dropout), arguments.seed)
    elif arguments.arm == "plain":
        shape = arguments.backbone_shape()
        model = EnrichedModel(make_backbone(arguments.backbone, num_items, shape, arguments.seed))
    else:
        model = make_corec(arguments, num_items, interests)
    return model, train_ranker(model, split, arguments, session)


def _train_apart(
    arguments: CorecArguments, num_items: int, interests: Interests, split: Split, session: Session
) -> tuple[Apart, dict[str, Any]]:
    """One model per module, half of the epochs each, so that the budget equals the other rows'."""
    half = replace(arguments, epochs=max(1, arguments.epochs // 2))
    models, facts = [], []
    for module in ("contrast", "reconstruction"):
        model = make_corec(
            half, num_items, interests, contrast=module == "contrast", reconstruction=module != "contrast"
        )
        part = replace(session, folder=session.folder / module)
        part.folder.mkdir(parents=True, exist_ok=True)
        facts.append(train_ranker(model, split, half, part))
        models.append(model)
    if session.is_main:
        for name in ("log.jsonl", "validation.json"):  # the report shows the second model's course
            (session.folder / name).write_bytes((session.folder / "reconstruction" / name).read_bytes())
    summed = {name: facts[0][name] + facts[1][name] for name in ("steps", "epochs", "fit_seconds", "parameters")}
    return Apart(models[0], models[1]), {**facts[1], **summed}


def load_corec(folder: str | Path, interests: Interests) -> CoRec:
    """A trained CoRec, ready to score.

    Args:
        folder: where `EnrichedModel.save` wrote it.
        interests: clusters of the same catalogue; only completion needs them.

    Raises:
        ValueError: the folder holds another kind of model.
    """
    from llmrec.corec.config import CoRecConfig

    facts = read_json(Path(folder) / "enriched.json")
    if facts["enrichment"] != CoRec.name:
        raise ValueError(f"'{folder}' holds a {facts['enrichment']}, not a CoRec; load it with the class of that name")
    backbone = make_backbone(facts["backbone"], facts["num_items"], SHAPES[facts["backbone"]](**facts["shape"]), 0)
    names = CoRecConfig.__dataclass_fields__
    options = {name: value for name, value in facts["settings"].items() if name in names}
    model = CoRec(backbone, interests, CoRecConfig(**{**options, "positives": tuple(options["positives"])}))
    model.load_weights(folder)
    return model
