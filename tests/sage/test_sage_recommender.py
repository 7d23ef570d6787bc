"""The recommender: only catalogue items, new items at once, variety on request, a folder that knows its names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sage_shop import TITLES, shop_recommender

from genrec.data.errors import DataError
from genrec.llm.hash_encoder import HashEncoder
from genrec.metrics.lists import diversity
from sage.recommend import SageRecommender


def test_lists_hold_each_item_once_and_leave_the_history_out() -> None:
    listed = shop_recommender().recommend(["i0", "i2"], k=6)
    assert sorted(row.item_id for row in listed) == ["i1", "i3", "i4", "i5"]
    assert [row.score for row in listed] == sorted((row.score for row in listed), reverse=True)
    assert listed[0].title in TITLES


def test_an_unknown_item_is_named() -> None:
    with pytest.raises(DataError, match="nope"):
        shop_recommender().recommend(["nope"])


def test_diversity_on_request_gives_more_varied_lists() -> None:
    shop = shop_recommender()
    shop.vectors = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 2, 0]]  # four items alike, two others
    plain, _ = shop.rank([[0], [3]], 3, 6)
    varied, scores = shop.rank([[0], [3]], 3, 6, diversity=1.0)
    assert diversity(varied, shop.vectors) > diversity(plain, shop.vectors)
    assert np.isfinite(scores).all()
    with pytest.raises(ValueError, match="in \\[0, 1\\]"):
        shop.rank([[0]], 3, diversity=-1)


def test_a_folder_brings_back_the_same_lists(tmp_path: Path) -> None:
    shop = shop_recommender()
    shop.save(tmp_path)
    again = SageRecommender.from_pretrained(tmp_path)
    np.testing.assert_array_equal(again.rank([[0, 1]], 5, 6)[0], shop.rank([[0, 1]], 5, 6)[0])


def test_other_names_than_those_of_the_weights_are_refused(tmp_path: Path) -> None:
    shop_recommender().save(tmp_path)
    names = tmp_path / "names.json"
    names.write_text(names.read_text().replace("w15", "w16"))
    with pytest.raises(ValueError, match="not the file the weights were trained with"):
        SageRecommender.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"sage\.json"):
        SageRecommender.from_pretrained(tmp_path / "nothing")


def test_a_new_item_is_recommendable_at_once() -> None:
    shop = shop_recommender()
    shop.vectors = HashEncoder().encode(shop.catalogue.texts())
    more = shop.with_items([{"item_id": "new", "title": "w20 w21 w22"}], HashEncoder())
    assert "new" in [row.item_id for row in more.recommend(["i0"], k=7)]
    assert more.names.token_ids[:6] == shop.names.token_ids
    assert more.recommend(["i0"], k=3, fresh=1)[-1].item_id == "new"  # the only new item, by its text
    assert len(more.tokenizer) == len(shop.tokenizer)


def test_new_items_need_the_encoder_of_the_old_vectors() -> None:
    shop = shop_recommender()
    shop.manifest["encoder"] = "another"
    with pytest.raises(ValueError, match="another"):
        shop.with_items([{"item_id": "new", "title": "w20"}], HashEncoder())


def test_parts_of_different_catalogues_are_refused() -> None:
    shop = shop_recommender()
    with pytest.raises(ValueError, match="different catalogues"):
        SageRecommender(shop.model, shop.tokenizer, shop.names, shop.catalogue, shop.vectors[:3], {})
