"""The toy shop is the same every time, and its next item can be learnt."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from genrec.data import Dataset, load_dataset


@pytest.fixture(scope="module")
def toy() -> Dataset:
    return load_dataset("toy")


def test_default_size(toy: Dataset) -> None:
    assert (toy.name, toy.num_users, toy.num_items) == ("toy", 200, 120)
    assert toy.num_interactions == toy.counts[-1]["interactions"] == sum(map(len, toy.histories))
    assert min(map(len, toy.histories)) >= 5


def test_the_same_seed_gives_the_same_shop(toy: Dataset) -> None:
    again, other = load_dataset("toy"), load_dataset("toy", seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(toy.histories, again.histories, strict=True))
    assert toy.catalogue.frame.equals(again.catalogue.frame)
    assert not all(np.array_equal(a, b) for a, b in zip(toy.histories, other.histories, strict=True))


def test_every_item_has_title_brand_categories_and_description(toy: Dataset) -> None:
    assert len(set(toy.catalogue.titles)) == toy.num_items
    assert toy.catalogue.frame.select("title", "brand", "description").null_count().sum_horizontal().item() == 0
    assert all(len(names) == 3 for names in toy.catalogue.frame["categories"].to_list())
    assert "department" not in toy.catalogue.frame.columns


def test_the_last_item_predicts_the_next_far_better_than_popularity(toy: Dataset) -> None:
    split = toy.split()
    followers: dict[int, Counter[int]] = defaultdict(Counter)
    for history in split.train:
        for left, right in zip(history[:-1].tolist(), history[1:].tolist(), strict=True):
            followers[left][right] += 1
    popular = np.argsort(-split.popularity(toy.num_items), kind="stable")[:5].tolist()
    cases = list(zip(split.test.histories, split.test.targets.tolist(), strict=True))
    by_markov = np.mean([t in [i for i, _ in followers[int(h[-1])].most_common(5)] for h, t in cases])
    by_popularity = np.mean([t in popular for _, t in cases])
    assert by_markov > 0.5
    assert by_markov > 3 * by_popularity


def test_options_are_checked() -> None:
    assert load_dataset("toy", num_users=7, num_items=30).num_users == 7
    with pytest.raises(ValueError, match=r"unknown toy options \['colour'\]"):
        load_dataset("toy", colour="red")
    with pytest.raises(ValueError, match="max_length <= num_items"):
        load_dataset("toy", num_items=10)
    with pytest.raises(ValueError, match="follow between 0 and 1"):
        load_dataset("toy", follow=1.5)
