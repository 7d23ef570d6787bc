"""Facts about the reasoning curriculum (METHODS 1.3)."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gream.curriculum import CurriculumSampler, curriculum_schedule, insertion_probability, mix_over_steps


def test_insertion_probability_of_the_method_vector():
    assert insertion_probability(50, 100, 40) == pytest.approx(0.30)


def test_insertion_probability_is_capped_at_one():
    # 1.5 * (100 / 100) * (90 / 100) = 1.35
    assert insertion_probability(100, 100, 90) == 1.0


def test_insertion_probability_starts_at_zero_and_is_zero_without_reasoning():
    assert insertion_probability(0, 100, 40) == 0.0
    assert insertion_probability(70, 100, 0) == 0.0


@pytest.mark.parametrize(("i", "align", "reason"), [(1, 0, 4), (11, 10, 4), (-1, 10, 4), (1, 10, -1)])
def test_insertion_probability_refuses_counts_out_of_range(i, align, reason):
    with pytest.raises(ValueError, match="need 0 <= i"):
        insertion_probability(i, align, reason)


def test_every_epoch_holds_all_batches_of_both_kinds():
    for epoch in curriculum_schedule(100, 40, seed=3):
        assert Counter(epoch) == {"A": 100, "R": 40}


def test_first_two_epochs_start_with_alignment_and_end_with_the_leftover():
    first, second, _ = curriculum_schedule(100, 80, gamma=0.5, seed=1)
    for epoch in (first, second):
        assert epoch[0] == "A"
        assert epoch[-20:] == ["R"] * 20
        # at most one reasoning batch directly follows an alignment batch before the leftover begins
        until = max(i for i, kind in enumerate(epoch) if kind == "A")
        assert "RR" not in "".join(epoch[: until + 1])


def test_inserted_share_follows_the_probability():
    # expected insertions: sum over i of 1.5 * (i/200) * 0.3 = 0.45 * 100.5 = 45.2 per epoch of 60; sd below 6
    inserted = []
    for seed in range(40):
        epoch = curriculum_schedule(200, 60, seed=seed)[0]
        last = max(i for i, kind in enumerate(epoch) if kind == "A")
        inserted.append(epoch[: last + 2].count("R"))
    assert np.mean(inserted) == pytest.approx(45.2, abs=3.0)


def test_late_alignment_batches_are_followed_more_often():
    early = late = 0
    for seed in range(30):
        kinds = "".join(curriculum_schedule(100, 60, seed=seed)[0])
        pairs = [kinds[i + 1] == "R" for i, kind in enumerate(kinds[:-1]) if kind == "A"]
        early, late = early + sum(pairs[:30]), late + sum(pairs[40:70])
    assert late > 2 * early


def test_last_epoch_mixes_both_kinds_evenly():
    halves = [curriculum_schedule(300, 300, seed=seed)[-1][:300].count("R") for seed in range(10)]
    assert np.mean(halves) == pytest.approx(150, abs=12)


def test_uniform_control_mixes_in_every_epoch():
    for epoch in curriculum_schedule(300, 300, schedule="uniform", seed=5):
        assert 110 < epoch[:300].count("R") < 190


def test_alignment_control_has_as_many_batches_and_no_reasoning():
    control = curriculum_schedule(30, 12, schedule="align_only")
    assert [len(epoch) for epoch in control] == [42, 42, 42]
    assert {kind for epoch in control for kind in epoch} == {"A"}


def test_schedule_without_alignment_is_all_reasoning():
    assert curriculum_schedule(0, 3) == [["R"] * 3] * 3


def test_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="schedule must be one of"):
        curriculum_schedule(3, 3, schedule="random")  # type: ignore[arg-type]


def test_mix_over_steps_is_the_share_of_reasoning_in_the_window():
    shares = mix_over_steps([["A", "A", "R", "R"], ["R", "R"]], window=2)
    # windows: [A A], [A A], [A R], [R R], [R R], [R R]
    assert shares == [0.0, 0.0, 0.5, 1.0, 1.0, 1.0]


def test_sampler_emits_whole_batches_of_one_kind_in_schedule_order():
    sampler = CurriculumSampler(10, 7, batch_size=4, seed=2)
    rows = list(sampler)
    kinds = [kind for epoch in sampler.schedule for kind in epoch]
    assert len(rows) == len(sampler) == 4 * len(kinds) == 4 * 3 * (3 + 2)
    for batch, kind in zip(np.reshape(rows, (-1, 4)), kinds, strict=True):
        assert all(row < 10 for row in batch) if kind == "A" else all(10 <= row < 17 for row in batch)


def test_each_epoch_shows_every_row_and_fills_the_tail_with_first_rows():
    sampler = CurriculumSampler(10, 7, batch_size=4, seed=2)
    per_epoch = np.reshape(list(sampler), (3, -1))
    for epoch in per_epoch:
        counts = Counter(epoch.tolist())
        assert set(counts) == set(range(17))
        # 3 * 4 - 10 = 2 alignment rows and 2 * 4 - 7 = 1 reasoning row come twice
        assert sum(n - 1 for row, n in counts.items() if row < 10) == 2
        assert sum(n - 1 for row, n in counts.items() if row >= 10) == 1


def test_sampler_order_is_a_function_of_the_seed():
    first = list(CurriculumSampler(50, 20, 4, seed=7))
    assert first == list(CurriculumSampler(50, 20, 4, seed=7))
    assert first != list(CurriculumSampler(50, 20, 4, seed=8))


def test_epochs_have_different_row_orders():
    first, second, third = np.reshape(list(CurriculumSampler(50, 20, 4, seed=7)), (3, -1)).tolist()
    assert first != second
    assert second != third


def test_align_only_repeats_alignment_rows_to_the_same_number_of_steps():
    control = CurriculumSampler(10, 30, 4, schedule="align_only")
    assert control.num_steps == CurriculumSampler(10, 30, 4).num_steps
    assert max(control) < 10
    assert set(control) == set(range(10))


def test_a_dataset_smaller_than_a_batch_is_repeated():
    batches = list(CurriculumSampler(3, 0, 8, epochs=1).batches())
    assert len(batches) == 1
    assert set(batches[0]) == {0, 1, 2}
    assert len(batches[0]) == 8


def test_lengths_put_like_rows_together_and_lose_none():
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 200, size=400).tolist()
    grouped = CurriculumSampler(400, 0, 8, epochs=1, lengths=lengths)
    plain = CurriculumSampler(400, 0, 8, epochs=1)

    def padding(sampler):
        return sum(8 * max(lengths[r] for r in b) - sum(lengths[r] for r in b) for b in sampler.batches())

    assert sorted(grouped) == list(range(400))
    assert padding(grouped) < padding(plain) / 4


def test_two_processes_see_the_global_batches_of_one():
    """accelerate deals consecutive micro-batches to processes in turn; together they are one step."""
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    sampler = CurriculumSampler(21, 9, batch_size=8, seed=4)

    def optimizer_batches(world, per_device, accumulation):
        shards = [
            list(BatchSamplerShard(BatchSampler(sampler, per_device, False), world, rank)) for rank in range(world)
        ]
        steps = len(shards[0]) // accumulation
        return [
            sorted(
                row for shard in shards for micro in shard[s * accumulation : (s + 1) * accumulation] for row in micro
            )
            for s in range(steps)
        ]

    expected = [sorted(batch) for batch in sampler.batches()]
    assert optimizer_batches(1, 8, 1) == expected
    assert optimizer_batches(1, 2, 4) == expected
    assert optimizer_batches(2, 4, 1) == expected
    assert optimizer_batches(2, 2, 2) == expected


@pytest.mark.parametrize("kwargs", [{"batch_size": 0}, {"batch_size": 4, "lengths": [1, 2]}])
def test_sampler_refuses_impossible_settings(kwargs):
    with pytest.raises(ValueError, match=r"batch_size|lengths"):
        CurriculumSampler(5, 5, **kwargs)


def test_sampler_refuses_a_control_without_alignment_rows():
    with pytest.raises(ValueError, match="align_only"):
        CurriculumSampler(0, 5, 2, schedule="align_only")
