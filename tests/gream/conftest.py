"""The toy recommender folder, saved once; makes the toys of this folder importable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from recommend_toys import TITLES, toy_index, toy_model, toy_tokenizer


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recommender folder."""
    from genrec.data.catalogue import Catalogue
    from genrec.sid.vocabulary import SidVocabulary, extend_tokenizer
    from gream.prompts import PromptConfig
    from gream.recommend import save_recommender

    tokenizer, codes = toy_tokenizer(), toy_index()
    extend_tokenizer(tokenizer, SidVocabulary.for_codes(codes))
    catalogue = Catalogue.from_records({"item_id": f"f{i}", "title": title} for i, title in enumerate(TITLES))
    return save_recommender(
        tmp_path_factory.mktemp("recommender"),
        toy_model(len(tokenizer)),
        tokenizer,
        codes,
        catalogue,
        PromptConfig(max_history=4),
        {"stage": "toy", "dataset": "films", "seed": 0},
    )


@pytest.fixture(scope="session")
def toy(toy_folder: Path) -> Any:
    """The recommender, opened."""
    from gream import GreamRecommender

    return GreamRecommender.from_pretrained(toy_folder, device="cpu")
