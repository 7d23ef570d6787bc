import numpy as np
import pytest

from genrec.sid.codes import ItemCodes
from genrec.sid.fusion import fuse, unit_rows
from genrec.sid.health import collisions, index_health, level_usage, prefix_groups
from genrec.sid.learners import LEARNERS, LearnedCodes, SidConfig, learn_codes, register_learner

VECTORS = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)


def test_usage_and_perplexity_by_hand() -> None:
    usage = level_usage(np.array([0, 0, 1, 1, -1]), 4)
    assert usage["used"] == 2
    assert usage["usage"] == 0.5
    assert usage["perplexity"] == pytest.approx(2.0)
    assert (usage["largest"], usage["smallest"]) == (2, 0)
    assert level_usage(np.array([0, 0, 0, 1]), 2)["perplexity"] == pytest.approx(4 / 27**0.25)


def test_prefix_groups_by_hand() -> None:
    groups = prefix_groups(np.array([[0, 1], [0, 2], [1, 1]]), 1)
    assert groups == {"length": 1, "groups": 2, "mean": 1.5, "median": 1.5, "max": 2, "alone": 1}


def test_collision_rate_is_the_share_of_items_that_shared_their_codes() -> None:
    raw = np.array([[0, 0], [0, 0], [0, 1], [1, 1]])
    final = ItemCodes(np.array([[0, 0], [1, 0], [0, 1], [1, 1]]), (2, 2))
    assert collisions(final, raw) == {
        "collision_rate_before": 0.5,
        "items_colliding_before": 2,
        "items_moved": 1,
        "items_moved_to_other_prefix": 1,
    }


def test_health_without_raw_codes_leaves_collisions_out() -> None:
    report = index_health(ItemCodes(np.array([[0, 1], [1, 0]]), (2, 2)))
    assert "collision_rate_before" not in report
    assert [level["perplexity"] for level in report["levels"]] == [2.0, 2.0]


@pytest.mark.parametrize(("policy", "longest"), [("reassign", 2), ("suffix", 3)])
def test_both_collision_policies_give_every_item_codes(policy: str, longest: int) -> None:
    settings = {"num_levels": 2, "codebook_size": 8, "collisions": policy}
    learned = learn_codes("rq_kmeans", VECTORS, settings)
    assert learned.item_codes.num_items == 60
    assert learned.item_codes.lengths.max() == longest


def test_learned_index_reports_its_settings() -> None:
    learned = learn_codes("rq_kmeans", VECTORS, SidConfig(num_levels=3, codebook_size=8, seed=5))
    assert learned.item_codes.seed == 5
    assert learned.item_codes.config["collisions"] == "reassign"
    assert learned.health["hash"] == learned.item_codes.hash
    assert 0 < learned.health["reconstruction"]["share_of_variance"] < 1
    assert learned.quantiser is not None


def test_two_runs_give_the_same_hash() -> None:
    first, second = (learn_codes("rq_kmeans", VECTORS, {"num_levels": 2, "codebook_size": 8}) for _ in range(2))
    assert first.item_codes.hash == second.item_codes.hash


@pytest.mark.parametrize("size", [8, 100])
def test_random_codes_are_distinct_and_depend_on_the_seed(size: int) -> None:
    config = {"num_levels": 2, "codebook_size": size}
    first, second = (learn_codes("random", VECTORS, {**config, "seed": seed}).item_codes for seed in (0, 1))
    assert first.num_items == 60
    assert (first.codes != second.codes).any()


def test_random_codes_need_room() -> None:
    with pytest.raises(ValueError, match="60 items do not fit into 49 codes"):
        learn_codes("random", VECTORS, {"num_levels": 2, "codebook_size": 7})


def test_another_learner_plugs_in_by_name() -> None:
    @register_learner("by_number")
    def by_number(embeddings: np.ndarray, config: SidConfig) -> LearnedCodes:
        codes = ItemCodes(np.arange(len(embeddings))[:, None], (len(embeddings),))
        return LearnedCodes(codes, index_health(codes))

    try:
        assert learn_codes("by_number", VECTORS).item_codes.item_of([59]) == 59
    finally:
        del LEARNERS["by_number"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"method": "magic"}, "method 'magic' is unknown; choose one of"),
        ({"collisions": "drop"}, "collisions 'drop' is unknown"),
        ({"num_levels": 3, "codebook_size": [4, 4]}, "does not give 3 levels"),
    ],
)
def test_bad_settings_are_refused(setting: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=message):
        SidConfig(**setting)


def test_unit_rows_keep_zero_rows() -> None:
    assert unit_rows([[3.0, 4.0], [0.0, 0.0]]).tolist() == [
        [pytest.approx(0.6), pytest.approx(0.8)],
        [0.0, 0.0],
    ]


def test_fused_vectors_have_both_parts_at_their_lengths() -> None:
    fused = fuse([[2.0, 0.0]], [[0.0, 5.0]], weight=0.5)
    assert fused.tolist() == [[1.0, 0.0, 0.0, 0.5]]


def test_an_unknown_item_takes_the_collaborative_part_of_its_nearest_texts() -> None:
    text = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.1]]
    fused = fuse(text, [[1.0, 0.0], [0.0, 1.0], [9.0, -9.0]], known=[0])
    assert fused[2, 2:].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0]], [[1.0], [1.0]]), "2 collaborative vectors for 1 items"),
        (([[1.0]], [[1.0]], -1.0), "must not be negative"),
        (([[1.0]], [[1.0]], 1.0, []), "no item has a trained collaborative vector"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(arguments: tuple, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=message):
        fuse(*arguments)
