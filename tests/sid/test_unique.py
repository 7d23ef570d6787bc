import numpy as np
import pytest

from genrec.sid.new_items import assign_new_items
from genrec.sid.rq_kmeans import RQKMeans, fit_rq_kmeans
from genrec.sid.unique import collision_sets, make_unique

# One dimension: level 0 has codewords 0 and 10, level 1 has 0, 1, 2.
LINE = RQKMeans([np.array([[0.0], [10.0]], np.float32), np.array([[0.0], [1.0], [2.0]], np.float32)])


def encoded(values: list[float]) -> tuple[np.ndarray, np.ndarray]:
    vectors = np.array(values, np.float32)[:, None]
    return LINE.encode(vectors), vectors


def test_collision_sets_group_equal_rows() -> None:
    groups = collision_sets(np.array([[1, 1], [0, 2], [1, 1], [0, 0], [0, 2]]))
    assert [group.tolist() for group in groups] == [[1, 4], [0, 2]]
    assert collision_sets(np.array([[0, 0], [0, 1]])) == []


def test_reassign_moves_the_item_that_loses_least() -> None:
    # 0.9 and 1.3 both want code 1. Keeping 0.9 and moving 1.3 to 2 costs 0.01 + 0.49 = 0.50;
    # moving 0.9 to 0 and keeping 1.3 costs 0.81 + 0.09 = 0.90.
    raw, vectors = encoded([0.9, 1.3])
    codes, moved = make_unique(raw, vectors, LINE)
    assert raw.tolist() == [[0, 1], [0, 1]]
    assert codes.codes.tolist() == [[0, 1], [0, 2]]
    assert moved == {
        "colliding_items": 2,
        "collision_sets": 1,
        "items_moved": 1,
        "items_moved_to_other_prefix": 0,
    }


def test_reassign_takes_a_shift_of_all_when_that_is_the_least_total() -> None:
    # Three items want 1 and the group has three codes: sorted order is the best assignment on a line.
    raw, vectors = encoded([1.2, 0.9, 1.0])
    assert make_unique(raw, vectors, LINE)[0].codes[:, 1].tolist() == [2, 0, 1]


def test_items_outside_a_collision_keep_their_codes() -> None:
    raw, vectors = encoded([1.0, 1.1, 2.0])
    codes, _ = make_unique(raw, vectors, LINE)
    # Code 2 is settled, so one of the first two takes 0: 1.0 -> 0 costs 1 + 0.01, 1.1 -> 0 costs 1.21.
    assert codes.codes.tolist() == [[0, 0], [0, 1], [0, 2]]


def test_a_full_prefix_group_overflows_into_the_neighbouring_prefix() -> None:
    raw, vectors = encoded([1.0, 1.0, 1.0, 1.0])
    codes, moved = make_unique(raw, vectors, LINE)
    assert sorted(map(tuple, codes.codes.tolist())) == [(0, 0), (0, 1), (0, 2), (1, 0)]
    assert moved["items_moved_to_other_prefix"] == 1


def test_a_full_code_space_holds_exactly_its_size() -> None:
    raw, vectors = encoded([1.0] * 6)
    assert len(set(map(tuple, make_unique(raw, vectors, LINE)[0].codes.tolist()))) == 6
    raw, vectors = encoded([1.0] * 7)
    with pytest.raises(ValueError, match="7 items do not fit into 6 codes"):
        make_unique(raw, vectors, LINE)


def test_overflow_climbs_until_a_prefix_has_room() -> None:
    books = [np.array([[0.0], [100.0]]), np.array([[0.0], [10.0]]), np.array([[0.0], [1.0]])]
    tree = RQKMeans([book.astype(np.float32) for book in books])
    vectors = np.zeros((5, 1), np.float32)
    codes = make_unique(tree.encode(vectors), vectors, tree)[0].codes
    # Two under (0, 0), two under (0, 1), and the fifth at the nearest leaf of the other half.
    assert sorted(map(tuple, codes.tolist())) == [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0)]


def test_suffix_numbers_colliding_items_only() -> None:
    raw, vectors = encoded([1.0, 11.0, 1.1, 0.9])
    codes, moved = make_unique(raw, vectors, LINE, policy="suffix")
    assert codes.codes.tolist() == [[0, 1, 0], [1, 1, -1], [0, 1, 1], [0, 1, 2]]
    assert codes.codebook_sizes == (2, 3, 3)
    assert codes.nominal_levels == 2
    assert codes.lengths.tolist() == [3, 2, 3, 3]
    assert moved["items_moved"] == 0


def test_suffix_without_collisions_adds_no_level() -> None:
    raw, vectors = encoded([0.0, 1.0])
    assert make_unique(raw, vectors, LINE, policy="suffix")[0].codebook_sizes == (2, 3)


def test_an_unknown_policy_names_the_choices() -> None:
    raw, vectors = encoded([0.0])
    with pytest.raises(ValueError, match="choose 'reassign' or 'suffix'"):
        make_unique(raw, vectors, LINE, policy="drop")  # type: ignore[arg-type]


@pytest.mark.parametrize("policy", ["reassign", "suffix"])
def test_many_duplicates_become_unique(policy: str) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(20, 4))[rng.integers(20, size=300)].astype(np.float32)
    quantiser = fit_rq_kmeans(vectors, 3, 8)
    codes, moved = make_unique(quantiser.fitted_codes, vectors, quantiser, policy)  # type: ignore[arg-type]
    assert codes.num_items == 300
    assert moved["colliding_items"] > 250
    assert {codes.item_of(codes.tuple_of(i)) for i in range(300)} == set(range(300))


def test_new_items_take_free_codes_and_old_ones_stay() -> None:
    raw, vectors = encoded([0.0, 1.0])
    index, _ = make_unique(raw, vectors, LINE, config={"seed": 0})
    # 11 is free and kept; 1.1 wants the taken code 1 and gets 2.
    longer, counts = assign_new_items(index, LINE, [[11.0], [1.1]])
    assert longer.codes.tolist() == [[0, 0], [0, 1], [1, 1], [0, 2]]
    assert longer.config["extends"] == index.hash
    assert counts == {"new_items": 2, "items_moved": 1, "items_moved_to_other_prefix": 0}


def test_new_items_overflow_without_moving_old_ones() -> None:
    raw, vectors = encoded([0.0, 1.0, 2.0])
    index, _ = make_unique(raw, vectors, LINE)
    longer, counts = assign_new_items(index, LINE, [[1.0]])
    assert longer.codes.tolist() == [[0, 0], [0, 1], [0, 2], [1, 0]]
    assert counts["items_moved_to_other_prefix"] == 1


def test_a_new_item_joins_a_collision_set_that_has_suffixes_left() -> None:
    raw, vectors = encoded([1.0, 1.0, 1.0, 2.0, 2.0, 10.0])
    index, _ = make_unique(raw, vectors, LINE, policy="suffix")
    # (0, 1) has used all 3 suffixes, (0, 2) two of them, (1, 0) has an item without suffix.
    longer, _ = assign_new_items(index, LINE, [[2.0], [1.0], [10.0]])
    assert longer.codes[:6].tolist() == index.codes.tolist()
    assert longer.codes[6:].tolist() == [[0, 2, 2], [0, 0, -1], [1, 1, -1]]


def test_a_foreign_quantiser_is_refused() -> None:
    raw, vectors = encoded([0.0])
    index, _ = make_unique(raw, vectors, LINE)
    with pytest.raises(ValueError, match=r"quantiser has codebooks \(2,\)"):
        assign_new_items(index, RQKMeans(LINE.codebooks[:1]), [[0.0]])
