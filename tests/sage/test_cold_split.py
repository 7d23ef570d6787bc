"""Cold-start scenes: no leak, what falls where, and figures by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sage.cold.figures import cold_table
from sage.cold.split import SCENES, ColdConfig, ColdSplit, cold_split

rng = np.random.default_rng(0)
HISTORIES = [rng.integers(0, 40, size=int(rng.integers(3, 12))) for _ in range(200)]


@pytest.fixture(scope="module", params=["ml20m", "fashion", "coldstart10k"])
def cold(request: pytest.FixtureRequest) -> ColdSplit:
    return cold_split(HISTORIES, 40, ColdConfig.preset(request.param))


def test_training_and_validation_hold_nothing_new(cold: ColdSplit) -> None:
    for user, items in enumerate(cold.split.train):
        assert not cold.new_items[items].any()
        assert not (cold.new_users[user] and len(items))
    valid = cold.split.valid
    assert not cold.new_users[valid.users].any()
    assert not cold.new_items[valid.targets].any()


def test_no_question_was_learnt_from(cold: ColdSplit) -> None:
    """A user's training part ends before the validation item, which ends before the question."""
    for targets in cold.scenes.values():
        for user, target in zip(targets.users, targets.targets, strict=True):
            assert target == HISTORIES[user][-1]
            known = [i for i in HISTORIES[user][:-1] if not cold.new_items[i]]
            assert len(cold.split.train[user]) < max(len(known), 1)


def test_shown_histories_hold_no_new_item(cold: ColdSplit) -> None:
    for targets in (*cold.scenes.values(), cold.split.valid):
        assert all(len(items) and not cold.new_items[items].any() for items in targets.histories)


def test_scenes_are_what_they_are_called(cold: ColdSplit) -> None:
    for scene, targets in cold.scenes.items():
        assert len(targets), scene
        assert set(cold.new_users[targets.users]) == {scene == "new_users"}
        assert set(cold.new_items[targets.targets]) == {scene == "new_items"}
    assert max(len(items) for items in cold.scenes["new_users"].histories) <= 3


def test_every_user_is_asked_once_or_counted(cold: ColdSplit) -> None:
    users = np.concatenate([cold.scenes[scene].users for scene in SCENES])
    assert len(set(users.tolist())) == len(users) == len(HISTORIES) - cold.asked_nothing


def test_shares_are_exact_and_seeded() -> None:
    first, again, other = (cold_split(HISTORIES, 40, ColdConfig(0.25, 0.15, seed=seed)) for seed in (1, 1, 2))
    assert (int(first.new_users.sum()), int(first.new_items.sum())) == (50, 6)
    assert (first.new_users == again.new_users).all()
    assert (first.new_users != other.new_users).any()


def test_without_shares_everything_is_regular_and_leave_one_out() -> None:
    cold = cold_split([np.array([1, 2, 3, 4])], 5, ColdConfig(0.0, 0.0))
    assert [items.tolist() for items in cold.split.train] == [[1, 2]]
    assert cold.split.valid.targets.tolist() == [3]
    assert cold.scenes["regular"].targets.tolist() == [4]
    assert cold.scenes["regular"].histories[0].tolist() == [1, 2, 3]


def test_figures_by_hand() -> None:
    # regular: ranks 0 and a miss -> HR 1/2, NDCG (1 + 0) / 2; new items: rank 1 -> NDCG 1 / log2(3)
    ranks = {"regular": np.array([0, -1]), "new_users": np.array([], int), "new_items": np.array([1])}
    lists = {"regular": np.array([[0, 1], [0, 1]]), "new_users": np.empty((0, 2), int), "new_items": np.array([[0, 2]])}
    table = cold_table(ranks, lists, counts=[5, 1, 0, 3], k=2)
    assert (table["HR@2_regular"], table["NDCG@2_regular"]) == (0.5, 0.5)
    assert table["ColdRecall@2"] == 1.0
    assert table["NDCG@2_new_items"] == pytest.approx(1 / np.log2(3))
    assert table["n_new_users"] == 0
    assert "HR@2_new_users" not in table
    assert table["NewShare@2"] == pytest.approx(1 / 6)
    assert table["Coverage@2"] == 0.75


def test_lists_and_ranks_of_other_scenes_are_refused() -> None:
    with pytest.raises(ValueError, match="pass both for each scene"):
        cold_table({"regular": np.array([0])}, {}, counts=[1])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"user_share": 1.0}, r"user_share must lie in \[0, 1\)"),
        ({"item_share": -0.1}, "item_share"),
        ({"shown": 0}, "shown must be at least 1"),
    ],
)
def test_bad_shares_are_refused(config: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ColdConfig(**config)  # type: ignore[arg-type]


def test_unknown_presets_and_empty_training_are_refused() -> None:
    with pytest.raises(ValueError, match="preset 'mars' is unknown"):
        ColdConfig.preset("mars")
    with pytest.raises(ValueError, match="no training history has 2 items left"):
        cold_split([np.array([0, 1])], 2, ColdConfig(0.0, 0.0))
