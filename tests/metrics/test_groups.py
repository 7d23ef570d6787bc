"""Facts about head and tail groups."""

import numpy as np
import pytest

from genrec.metrics.groups import group_masks, group_table, tail_mask


def test_tail_is_the_smallest_eighty_percent():
    assert tail_mask([9, 1, 5, 3, 2]).tolist() == [False, True, True, True, True]
    assert tail_mask(np.arange(10)).sum() == 8


def test_among_equal_sizes_the_lower_index_is_tail():
    assert tail_mask([4, 4, 4, 4], share=0.5).tolist() == [True, True, False, False]


def test_groups_split_users_by_history_and_targets_by_their_item():
    masks = group_masks([1, 2, 3, 4, 50], targets=[0, 4, 0, 1, 4], item_counts=[5, 1, 1, 1, 100])
    assert masks["tail_users"].tolist() == [True, True, True, True, False]
    assert masks["tail_items"].tolist() == [True, False, True, True, False]
    assert (masks["head_items"] == ~masks["tail_items"]).all()


def test_table_has_metrics_and_counts_per_group_and_skips_empty_ones():
    masks = {"tail_users": np.array([True, True, False]), "head_users": np.array([False, False, False])}
    assert group_table([0, -1, 0], masks) == {
        "n_tail_users": 2,
        "Recall@10_tail_users": 0.5,
        "NDCG@10_tail_users": 0.5,
        "n_head_users": 0,
    }


def test_a_share_above_one_is_refused():
    with pytest.raises(ValueError, match=r"share must be in \[0, 1\], got 80"):
        tail_mask([1], share=80)
