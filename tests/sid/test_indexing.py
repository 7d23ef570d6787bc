from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genrec.llm.hash_encoder import HashEncoder
from gream.indexing import IndexConfig, ItemIndex, add_items, build_index

KINDS, COLOURS = (
    ["nail polish", "night cream", "shampoo", "hair brush"],
    ["red", "blue", "green", "gold", "black"],
)
TEXTS = [f"{colour} {kind}" for kind in KINDS for colour in COLOURS]
SETTINGS = {"num_levels": 2, "codebook_size": 6}


def dataset() -> Any:
    """What an index needs of a dataset: the texts of its catalogue."""
    return SimpleNamespace(catalogue=SimpleNamespace(texts=lambda: TEXTS))


def built(**options: Any) -> ItemIndex:
    return build_index(dataset(), "hash", IndexConfig(**SETTINGS), **options)


def test_a_build_writes_codes_health_quantiser_and_embeddings(tmp_path: Path) -> None:
    index = built(folder=tmp_path)
    names = ["embeddings.npy", "health.json", "index.json", "quantiser.npz"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    loaded = ItemIndex.load(tmp_path)
    assert loaded.item_codes.hash == index.item_codes.hash == loaded.health["hash"]
    assert (loaded.embeddings == index.embeddings).all()
    assert loaded.item_codes.config["encoder"] == "hash-256-v1"
    assert loaded.quantiser is not None


def test_two_builds_write_the_same_files(tmp_path: Path) -> None:
    built(folder=tmp_path / "a")
    built(folder=tmp_path / "b")
    for name in ("index.json", "health.json", "embeddings.npy"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_similar_texts_share_their_first_code_more_often_than_others() -> None:
    first = built().item_codes.codes[:, 0]
    same = first[:, None] == first[None, :]
    kinds = np.repeat(np.arange(4), 5)
    alike = kinds[:, None] == kinds[None, :]
    np.fill_diagonal(same, False)
    assert same[alike].mean() > same[~alike].mean()


def test_collaborative_vectors_stand_beside_the_text_at_their_weight() -> None:
    collaborative = np.eye(20, dtype=np.float32) * 7
    config = IndexConfig(**SETTINGS, collaborative_weight=0.5)
    index = build_index(dataset(), "hash", config, collaborative)
    assert index.embeddings.shape == (20, 256 + 20)
    np.testing.assert_allclose(np.linalg.norm(index.embeddings[:, :256], axis=1), 1.0, rtol=1e-5)
    assert (index.embeddings[:, 256:] == 0.5 * np.eye(20)).all()
    assert index.item_codes.config["collaborative_weight"] == 0.5


def test_an_untrained_collaborative_vector_never_reaches_the_codes() -> None:
    collaborative = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    other = collaborative.copy()
    other[3] = 99.0
    first, second = (built(collaborative=c, train_items=set(range(20)) - {3}) for c in (collaborative, other))
    assert first.item_codes.hash == second.item_codes.hash


def test_new_items_leave_old_codes_alone() -> None:
    index = built()
    longer = add_items(index, ["silver nail polish", "red nail polish"], "hash")
    assert (longer.item_codes.codes[:20] == index.item_codes.codes).all()
    assert longer.item_codes.num_items == 22
    assert longer.item_codes.config["extends"] == index.item_codes.hash
    assert longer.health["new_items"]["new_items"] == 2
    assert longer.embeddings.shape == (22, 256)


def test_a_new_item_takes_its_collaborative_part_from_its_nearest_texts() -> None:
    collaborative = np.zeros((20, 2), np.float32)
    collaborative[:10, 0], collaborative[10:, 1] = 1.0, 1.0
    index = built(collaborative=collaborative)
    longer = add_items(index, ["silver shampoo"], "hash")
    assert longer.embeddings[20, 257] > longer.embeddings[20, 256]
    np.testing.assert_array_equal(longer.embeddings[:20], index.embeddings)


def test_new_items_need_the_encoder_of_the_index() -> None:
    with pytest.raises(ValueError, match="built with encoder 'hash-256-v1', not 'hash-64-v1'"):
        add_items(built(), ["x"], HashEncoder(64))


def test_an_index_without_quantiser_takes_no_new_items(tmp_path: Path) -> None:
    config = IndexConfig(method="random", **SETTINGS)
    index = build_index(dataset(), "hash", config, folder=tmp_path)
    assert ItemIndex.load(tmp_path).quantiser is None
    with pytest.raises(ValueError, match=r"new items need .* learnt by 'random'"):
        add_items(index, ["x"], "hash")


def test_vectors_for_another_catalogue_are_refused() -> None:
    with pytest.raises(ValueError, match="3 collaborative vectors for 20 items"):
        built(collaborative=np.ones((3, 2)))
