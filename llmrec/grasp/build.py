"""How does a setting become a model? Descriptions, store, features, and the arm around its backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from genrec.data.dataset import Dataset
from genrec.data.files import read_json
from genrec.data.load import file_beside
from genrec.data.split import Split
from genrec.fetch import cache_folder
from genrec.llm.encoders import load_encoder
from llmrec.backbones import SHAPES, make_backbone
from llmrec.enriched import EnrichedModel
from llmrec.grasp.baselines import LLMInit, RLMRec
from llmrec.grasp.corrupt import corrupt
from llmrec.grasp.descriptions import item_descriptions, user_descriptions
from llmrec.grasp.features import TextFeatures, features_of
from llmrec.grasp.holistic import HolisticConfig
from llmrec.grasp.llm_esr import LLMESR
from llmrec.grasp.model import Grasp
from llmrec.grasp.refresh import Refreshed, Texts, refresh_store
from llmrec.grasp.settings import GraspArguments
from llmrec.grasp.store import NeighbourStore
from llmrec.grasp.text_items import TextItems


def todays_texts(dataset: Dataset, split: Split, arguments: GraspArguments) -> dict[str, Texts]:
    """Descriptions of both sides, and who may be a neighbour: users and items with training interactions.

    Args:
        dataset: items and users.
        split: only `train` is read.
        arguments: files, and the share of wrong descriptions.
    """
    profiles = arguments.profiles or file_beside(arguments.dataset, "users.jsonl.gz")
    texts = {
        "items": item_descriptions(dataset, arguments.item_texts),
        "users": user_descriptions(dataset, split, arguments.user_texts, profiles),
    }
    if arguments.corrupt_share:
        share, kind = arguments.corrupt_share, arguments.corrupt_kind
        texts = {side: corrupt(own, share, kind, seed)[0] for seed, (side, own) in enumerate(texts.items())}
    trained = {
        "items": split.popularity(dataset.num_items) > 0,
        "users": np.array([len(history) > 0 for history in split.train], dtype=bool),
    }
    ids = {"items": dataset.catalogue.item_ids, "users": dataset.user_ids}
    return {side: Texts(ids[side], texts[side], trained[side]) for side in ids}


def refreshed_store(
    dataset: Dataset, split: Split, arguments: GraspArguments
) -> tuple[NeighbourStore, dict[str, Refreshed]]:
    """The store of these settings, brought up to date."""
    encoder = load_encoder(arguments.encoder, cache_folder() / "embeddings")
    texts = todays_texts(dataset, split, arguments)
    return refresh_store(arguments.store_folder(), texts, encoder, arguments.neighbours)


def load_features(dataset: Dataset, split: Split, arguments: GraspArguments, is_main: bool = True) -> TextFeatures:
    """Features of a dataset; the main process refreshes the store, the others wait and read it."""
    from genrec.run.processes import wait_for_everyone

    store = refreshed_store(dataset, split, arguments)[0] if is_main else None
    wait_for_everyone(_world())
    store = store or NeighbourStore.open(arguments.store_folder())
    return features_of(store, dataset.catalogue.item_ids, dataset.user_ids, arguments.text_width)


def _world() -> int:
    import torch

    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def make_arm(arguments: GraspArguments, num_items: int, features: TextFeatures, split: Split) -> EnrichedModel:
    """A fresh model of the chosen arm.

    Args:
        arguments: settings.
        num_items: catalogue size.
        features: text features.
        split: LLM-ESR's teachers are read from `train`.
    """
    a = arguments
    backbone = make_backbone(a.backbone, num_items, a.backbone_shape(), a.seed)
    if a.arm == "grasp":
        return Grasp(backbone, features, a.holistic(), a.user_dropout, a.branch_dropout, a.seed)
    if a.arm == "text_items":
        return TextItems(backbone, features, a.similar, a.seed)
    if a.arm == "rlmrec":
        return RLMRec(backbone, features, a.aux_weight, a.temperature, a.seed)
    if a.arm == "llm_esr":
        return LLMESR(backbone, features, split.train, a.aux_weight, a.seed)
    return LLMInit(backbone, features) if a.arm == "llminit" else EnrichedModel(backbone)


def load_grasp(folder: str | Path) -> Grasp:
    """A trained GRASP with its features, ready to score; see `EnrichedModel.save`.

    Raises:
        ValueError: the folder holds another kind of model.
    """
    facts: dict[str, Any] = read_json(Path(folder) / "enriched.json")
    if facts["enrichment"] != Grasp.name:
        raise ValueError(f"'{folder}' holds a {facts['enrichment']}, not a GRASP; load it with the class of that name")
    shape = SHAPES[facts["backbone"]](**facts["shape"])
    backbone = make_backbone(facts["backbone"], facts["num_items"], shape, 0)
    switches = {name: facts["settings"][name] for name in vars(HolisticConfig())}
    shares = {name: facts["settings"][name] for name in ("user_dropout", "branch_dropout")}
    model = Grasp(backbone, TextFeatures.load(folder), HolisticConfig(**switches), **shares)
    model.load_weights(folder)
    return model
