"""Facts about descriptions, their corruption, and what leaks (nothing)."""

import json

import numpy as np
import pytest

from genrec.data import load_dataset
from genrec.data.errors import DataError
from genrec.data.texts import TextRecord, write_rows
from genrec.llm.hash_encoder import HashEncoder
from llmrec.grasp.build import todays_texts
from llmrec.grasp.corrupt import corrupt
from llmrec.grasp.descriptions import item_descriptions, read_profiles, user_descriptions
from llmrec.grasp.features import features_of, principal
from llmrec.grasp.hallucination import drop_table, markdown
from llmrec.grasp.refresh import refresh_store
from llmrec.grasp.settings import GraspArguments


@pytest.fixture(scope="module")
def shop():
    dataset = load_dataset("toy", num_users=40, num_items=30)
    return dataset, dataset.split("leave_one_out")


def swap_answers(dataset):
    """The same dataset with every validation and test item exchanged for another."""
    changed = load_dataset("toy", num_users=40, num_items=30)
    for user, history in enumerate(changed.histories):
        changed.histories[user] = np.append(history[:-2], (history[-2:] + 7) % changed.num_items)
    return changed, changed.split("leave_one_out")


def test_no_description_neighbour_or_feature_sees_validation_or_test_items(shop, tmp_path):
    tables = []
    for name, (dataset, split) in {"a": shop, "b": swap_answers(shop[0])}.items():
        texts = todays_texts(dataset, split, GraspArguments(dataset="toy"))
        store, _ = refresh_store(tmp_path / name, texts, HashEncoder(64), 5)
        tables.append((texts, features_of(store, dataset.catalogue.item_ids, dataset.user_ids, 16)))
    (texts, first), (other_texts, second) = tables
    assert texts["users"].texts == other_texts["users"].texts
    assert first.neighbours.equal(second.neighbours)
    for name, table in first.tables.items():
        assert table.equal(second.tables[name]), name
    users = np.arange(len(first.neighbours))[:, None]
    assert not (first.neighbours.numpy() == users).any()  # nobody is their own neighbour


def test_an_item_that_training_never_saw_is_nobodys_neighbour(shop, tmp_path):
    dataset, split = shop
    texts = todays_texts(dataset, split, GraspArguments(dataset="toy"))
    unseen = np.flatnonzero(~texts["items"].candidates)
    assert set(unseen) == set(range(dataset.num_items)) - split.train_items()
    texts["items"].candidates[:3] = False
    store, _ = refresh_store(tmp_path, texts, HashEncoder(64), 5)
    assert not np.isin(store.items.neighbours, [0, 1, 2, *unseen]).any()
    assert (store.items.neighbours[0] >= 0).all()  # but it has some


def record(dataset, split, user, items, target=""):
    ids = dataset.catalogue.item_ids
    return TextRecord("users", dataset.user_ids[user], {"description": "Sews."}, [ids[item] for item in items], target)


def test_written_texts_are_read_and_the_rest_is_fused(shop, tmp_path):
    dataset, split = shop
    write_rows(tmp_path / "users.jsonl", [record(dataset, split, 0, split.train[0][-2:])])
    texts = user_descriptions(dataset, split, tmp_path / "users.jsonl")
    assert texts[0] == "Sews."
    assert dataset.catalogue.titles[int(split.train[1][-1])] in texts[1]
    write_rows(
        tmp_path / "items.jsonl", [TextRecord("items", dataset.catalogue.item_ids[2], {"a": "Red.", "b": "Big."})]
    )
    items = item_descriptions(dataset, tmp_path / "items.jsonl")
    assert items[2] == "Red. Big."
    assert items[3] == dataset.catalogue.text(3)
    with pytest.raises(DataError, match="not a text about an item"):
        item_descriptions(dataset, tmp_path / "users.jsonl")


def test_a_text_whose_writer_saw_the_answer_is_refused(shop, tmp_path):
    dataset, split = shop
    for items in (split.test.histories[0][-2:], split.train[0][::-1][:3]):  # the validation item; a wrong order
        write_rows(tmp_path / "users.jsonl", [record(dataset, split, 0, items)])
        with pytest.raises(DataError, match=r"saw item .* not in training there.*with the split of this run"):
            user_descriptions(dataset, split, tmp_path / "users.jsonl")


def test_profiles_join_the_description(shop, tmp_path):
    dataset, split = shop
    row = {"user_id": dataset.user_ids[0], "age": 24, "occupation": "artist", "zip_code": "85711"}
    (tmp_path / "users.jsonl").write_text(json.dumps(row))
    assert read_profiles(tmp_path / "users.jsonl") == {dataset.user_ids[0]: "age 24, occupation artist"}
    texts = user_descriptions(dataset, split, profiles=tmp_path / "users.jsonl")
    assert texts[0].startswith("age 24, occupation artist. Likes ")


@pytest.mark.parametrize("kind", ["swapped", "invented"])
def test_corruption_changes_the_asked_share_and_only_grows_with_it(kind):
    texts = [f"thing number {row} of {row * 7}" for row in range(100)]
    small, large = (corrupt(texts, share, kind, seed=1) for share in (0.2, 0.5))
    assert [int(changed.sum()) for _, changed in (small, large)] == [20, 50]
    assert (large[1] | ~small[1]).all()
    assert [a == b for a, b in zip(small[0], texts, strict=True)] == (~small[1]).tolist()
    assert (kind == "invented") or sorted(small[0]) == sorted(texts)
    assert corrupt(texts, 0.0, kind, 0)[0] == texts
    with pytest.raises(ValueError, match=r"share must be in \[0, 1\]"):
        corrupt(texts, 1.5, kind, 0)


def test_drops_are_of_the_models_own_clean_score():
    rows = drop_table({"A": {0.0: [0.10, 0.20], 0.5: [0.12]}, "B": {0.0: [0.0]}})
    assert [row["drop"] for row in rows] == [0.0, pytest.approx(0.2), None]
    assert "| A | 50% | 0.1200 | +20.0% |" in markdown(rows)
    with pytest.raises(ValueError, match="A has no run with clean descriptions"):
        drop_table({"A": {0.5: [0.1]}})


def test_principal_components_keep_what_varies_and_zero_rows():
    vectors = np.array([[3, 0, 1], [-3, 0, 1], [0, 1, 1], [0, -1, 1], [0, 0, 0]], dtype=np.float32)
    # centred on the mean (0, 0, 1) of the rows with a text: the first axis varies most, then the second
    np.testing.assert_allclose(principal(vectors, 2), [[3, 0], [-3, 0], [0, 1], [0, -1], [0, 0]], atol=1e-6)
    assert principal(vectors, 9).shape == (5, 3)
