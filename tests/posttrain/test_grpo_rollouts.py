"""Groups of rollouts: which are dead, how they are replaced, and in which order prompts come."""

from __future__ import annotations

from itertools import islice

import numpy as np
import torch
from trl.trainer.utils import RepeatSampler

from genrec.posttrain.resampling import Batch, fill_with_live_groups, fresh_prompt_indices
from genrec.posttrain.rollouts import Rollouts, ScoredRollouts, flat_groups
from genrec.posttrain.sampler import ResumableRepeatSampler

NAN = float("nan")


def batch(names: str) -> Batch:
    """Groups of two completions; capital letters name dead groups."""
    each = [name for name in names for _ in range(2)]
    ids = [[ord(name), 1] for name in each]
    rollouts = Rollouts([[0]] * len(each), ids, None, list(each), None, {"note": list(each)}, None, [])
    return Batch([{"row": name} for name in each], list(each), rollouts)


def dead(names: str) -> list[int]:
    return [i for i, name in enumerate(names) if name.isupper()]


def fill(names: str, rounds: list[str], others: int = 0, max_rounds: int = 9) -> tuple[str, list[int], int]:
    """Texts after filling, groups left dead, rounds taken; `others` are dead groups of another process."""
    start = batch(names)

    def draw(resample_round: int) -> tuple[Batch, list[int]]:
        drawn = rounds[resample_round]
        return batch(drawn), [i for i in range(len(drawn)) if i not in dead(drawn)]

    result = fill_with_live_groups(
        start, dead(names), draw, lambda count: count + others, group_size=2, max_rounds=max_rounds
    )
    texts = "".join(start.rollouts.completions[::2])
    assert start.rollouts.completions == start.prompts == start.rollouts.extra_fields["note"]
    assert [row["row"] for row in start.rows] == start.prompts
    assert [ids[0] for ids in start.rollouts.completion_ids] == [ord(text) for text in start.prompts]
    return texts, result.filler, result.rounds


def test_dead_groups_are_replaced_in_place_by_live_ones() -> None:
    assert fill("aBcD", ["EfGh"]) == ("afch", [], 1)


def test_rounds_go_on_until_every_group_lives() -> None:
    assert fill("ABcD", ["efGH", "iJKL"]) == ("efci", [], 2)


def test_surplus_live_groups_are_left_aside() -> None:
    assert fill("aB", ["cd"]) == ("ac", [], 1)


def test_a_full_process_keeps_generating_while_another_needs_groups() -> None:
    assert fill("ab", ["cd", "ef"], others=1, max_rounds=2) == ("ab", [], 2)


def test_no_round_is_drawn_when_every_group_lives() -> None:
    assert fill("ab", []) == ("ab", [], 0)


def test_what_stays_dead_is_masked_out_of_the_loss() -> None:
    start = batch("aBC")
    result = fill_with_live_groups(
        start, [1, 2], lambda _: (batch("DEf"), [2]), lambda count: count, group_size=2, max_rounds=1
    )
    assert (result.filler, result.filler_everywhere, result.rounds) == ([2], 1, 1)
    assert start.rollouts.loss_mask == [[1, 1]] * 4 + [[0, 0]] * 2


def test_a_batch_without_filler_gets_no_mask() -> None:
    rollouts = batch("ab").rollouts
    rollouts.mask_groups([], 2)
    assert rollouts.loss_mask is None


def test_groups_with_equal_or_unknown_rewards_are_flat() -> None:
    rewards = torch.tensor([0.5, 0.5, 0.5, 0.7, NAN, NAN, NAN, 0.2, 1.0, 1.0 + 1e-8])
    assert flat_groups(rewards, 2).tolist() == [True, False, True, True, True]


def test_local_groups_are_those_of_the_process() -> None:
    rewards = torch.tensor([0.0, 1.0, 0.3, 0.3])
    scored = ScoredRollouts(rewards[:, None], rewards, group_size=2, rows=slice(2, 4))
    assert scored.flat.tolist() == [False, True]
    assert scored.local_flat.tolist() == [True]


def test_fresh_prompts_depend_on_seed_step_round_and_rank_only() -> None:
    base = {"seed": 1, "step": 2, "resample_round": 3, "rank": 4}
    first = fresh_prompt_indices(1000, 5, **base)
    assert fresh_prompt_indices(1000, 5, **base) == first
    assert len(set(first)) == 5
    for name in base:
        assert fresh_prompt_indices(1000, 5, **{**base, name: base[name] + 1}) != first


def test_fresh_prompts_repeat_only_when_the_dataset_is_too_small() -> None:
    place = {"seed": 0, "step": 0, "resample_round": 0, "rank": 0}
    assert sorted(fresh_prompt_indices(5, 5, **place)) == list(range(5))
    assert set(fresh_prompt_indices(2, 8, **place)) <= {0, 1}


def test_sampler_equals_the_parent_in_every_epoch_and_after_a_resume() -> None:
    options = {
        "data_source": list(range(7)),
        "mini_repeat_count": 2,
        "batch_size": 3,
        "repeat_count": 2,
        "seed": 5,
    }
    parent = RepeatSampler(**options)
    epochs = [list(parent) for _ in range(3)]
    assert epochs[0] != epochs[1]
    epoch = 0
    ours = ResumableRepeatSampler(lambda: epoch, **options)
    for epoch in range(3):
        assert list(ours) == epochs[epoch]
    resumed = ResumableRepeatSampler(lambda: 2, **options)
    assert list(islice(resumed, 4)) == epochs[2][:4]


def test_sampler_without_shuffle_keeps_the_order() -> None:
    sampler = ResumableRepeatSampler(
        lambda: 3, data_source=[0, 1], mini_repeat_count=2, batch_size=2, shuffle=False, seed=0
    )
    assert np.array_equal(list(sampler), [0, 0, 1, 1])
