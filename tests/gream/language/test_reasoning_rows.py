"""Facts about the rows of the reasoning curriculum."""

from __future__ import annotations

import logging

import pytest

from gream.alignment import AlignmentConfig, build_alignment_rows
from gream.curriculum import CurriculumSampler, build_reasoning_rows, join_rows


@pytest.fixture(scope="module")
def build(shop, formatter):
    def make(chains, **changes):
        return build_reasoning_rows(chains, shop.split, shop.dataset, formatter, **changes)

    return make


def test_a_row_is_the_reasoning_prompt_and_the_chain(build, make_chain, formatter, shop):
    chain = make_chain(user=2)
    (row,) = build([chain], wording_variety=0.0)
    history = [int(item) for item in shop.split.train[2][:-1]]
    prompt = formatter.encode_prompt(formatter.reasoning_prompt(history))
    completion = formatter.encode_prompt(formatter.chain_completion(chain))
    assert row["input_ids"] == prompt + completion
    assert row["completion_mask"] == [0] * len(prompt) + [1] * len(completion)
    assert row["task"] == "reasoning"


def test_wordings_vary_only_when_asked(build, make_chain):
    chains = [make_chain(user=3)] * 40
    assert len({tuple(ids) for ids in build(chains, wording_variety=0.0)["input_ids"]}) == 1
    assert len({tuple(ids) for ids in build(chains, wording_variety=1.0)["input_ids"]}) == 2


def test_the_same_seed_gives_the_same_rows(build, make_chain):
    chains = [make_chain(user=user) for user in range(20)]
    assert build(chains, seed=1).to_dict() == build(chains, seed=1).to_dict()
    assert build(chains, seed=1).to_dict() != build(chains, seed=2).to_dict()


def test_rows_over_the_limit_are_left_out_and_counted(build, make_chain, caplog):
    chains = [make_chain(user=0), make_chain(user=0, intent="very " * 200)]
    with caplog.at_level(logging.WARNING):
        assert len(build(chains, max_length=150)) == 1
    assert "1 of 2 chains are longer than 150 tokens" in caplog.text


def test_a_chain_over_a_test_item_is_refused(build, make_chain, shop):
    outside = next(i for i in shop.dataset.histories[0][::-1] if i not in shop.split.train[0])
    with pytest.raises(ValueError, match="is not a training item of user"):
        build([make_chain(user=0, target=shop.catalogue.item_ids[int(outside)])])


def test_no_chain_at_all_is_an_error(build):
    with pytest.raises(ValueError, match="no row came out"):
        build([])


def test_joined_rows_are_numbered_as_the_sampler_expects(build, make_chain, shop, formatter):
    align = build_alignment_rows(shop.split, shop.dataset, formatter, config=AlignmentConfig(tasks=("sequential",)))
    reason = build([make_chain(user=user) for user in range(8)])
    rows = join_rows(align, reason)
    sampler = CurriculumSampler(len(align), len(reason), batch_size=4, epochs=1)
    for batch, kind in zip(sampler.batches(), sampler.schedule[0], strict=True):
        assert {rows[row]["task"] for row in batch} == {"sequential" if kind == "A" else "reasoning"}
