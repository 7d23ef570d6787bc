"""Evaluation: hand-made recommenders with known hits, and the toy model end to end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genrec.data.split import Targets
from gream.evaluate import build_examples, evaluate_direct, evaluate_reasoning, ranking_figures
from gream.evaluate.chain_worth import swap_donors
from gream.evaluate.examples import pick_rows, readable
from gream.evaluate.reasoning import hit_table, pass_figures, sample_figures
from gream.recommend import SampledChain

CHAIN = SampledChain(0, "", "c", 4, -1.0, 10, True, True)


def questions(histories, targets):
    return Targets(
        np.arange(len(targets)),
        [np.array(history, dtype=np.int64) for history in histories],
        np.array(targets, dtype=np.int64),
    )


class Fixed:
    """Ranks items 0, 1, 2, ... for everybody; items of the history move out when they are excluded."""

    catalogue = range(12)

    def rank_direct(self, histories, k, num_beams, exclude_history=False, **_):
        rows = []
        for history in histories:
            barred = set(map(int, history)) if exclude_history else set()
            order = [item for item in range(12) if item not in barred]
            rows.append((order + [-1] * 12)[:k])
        return np.array(rows), np.zeros((len(rows), k))


def test_direct_figures_of_a_fixed_ranking_are_the_hand_computed_ones():
    # ranks 0, 2 and 11: Recall@1 = 1/3, Recall@3 = 2/3, NDCG@3 = (1 + 1/log2(4)) / 3 = 0.5
    row = evaluate_direct(Fixed(), questions([[3], [3], [3]], [0, 2, 11]), num_beams=5).row
    assert row["Recall@1"] == pytest.approx(1 / 3)
    assert row["Recall@3"] == pytest.approx(2 / 3)
    assert row["NDCG@3"] == pytest.approx(0.5)
    assert row["Recall@20"] == 1.0
    assert row["n_users"] == 3


def test_the_unseen_column_ranks_without_the_history():
    # target 3 is fourth; without the history [0, 1] it is second
    row = evaluate_direct(Fixed(), questions([[0, 1]], [3])).row
    assert row["Recall@3"] == 0.0
    assert row["Recall@3_unseen"] == 1.0
    assert row["NDCG@3_unseen"] == pytest.approx(1 / np.log2(3))


def test_the_beam_is_never_below_the_longest_list():
    assert evaluate_direct(Fixed(), questions([[0]], [3]), num_beams=2).row["num_beams"] == 12


def test_popularity_brings_head_and_tail_and_vectors_bring_diversity():
    targets = questions([[0]] * 5, [0, 1, 2, 3, 11])
    row = evaluate_direct(Fixed(), targets, popularity=np.arange(12), vectors=np.eye(12)).row
    assert row["n_tail_items"] == 4  # the 9 least frequent of 12 items hold the targets 0, 1, 2, 3
    assert row["Div@10"] == pytest.approx(1.0)
    assert row["Popularity@10"] == pytest.approx(np.mean(range(10)))
    assert row["invalid"] == row["duplicates"] == 0
    assert "Popularity@10" not in evaluate_direct(Fixed(), targets).row


def test_a_baseline_gets_the_same_columns_as_gream():
    targets = questions([[0, 1]], [3])
    ours = evaluate_direct(Fixed(), targets, popularity=np.arange(12)).row
    lists = np.arange(12)[None]
    theirs = ranking_figures(targets, np.array([3]), lists, np.array([1]), num_items=12, popularity=np.arange(12))
    assert {name: ours[name] for name in theirs} == theirs


def test_invalid_and_repeated_slots_are_counted():
    class Broken(Fixed):
        def rank_direct(self, histories, k, num_beams, **_):
            return np.array([[0, 0, -1, *range(3, 12)]] * len(histories)), np.zeros((len(histories), 12))

    row = evaluate_direct(Broken(), questions([[0], [1]], [3, 4])).row
    assert (row["invalid"], row["duplicates"]) == (2, 2)


def test_no_user_is_an_error():
    with pytest.raises(ValueError, match="no user"):
        evaluate_direct(Fixed(), questions([], []))
    with pytest.raises(ValueError, match="no user"):
        evaluate_reasoning(Fixed(), questions([], []))


def test_an_answer_without_the_trained_form_is_no_hit():
    samples = [[CHAIN, replace(CHAIN, format_ok=False), replace(CHAIN, item=5)]]
    assert hit_table(samples, np.array([4])).tolist() == [[True, False, False]]


def test_pass_figures_both_ways():
    # n = 4; user 1 hits once with its third most probable sample, user 2 never
    hits = np.array([[False, False, True, False], [False] * 4])
    log_probs = np.array([[-1.0, -2.0, -3.0, -4.0], [-1.0] * 4])
    table = pass_figures(hits, log_probs, (1, 3, 10))
    assert table["Pass@1"] == pytest.approx(1 / 8)
    assert table["Pass@1_ranked"] == 0.0
    assert table["Pass@3"] == pytest.approx(3 / 8)
    assert table["Pass@3_ranked"] == 0.5
    assert "Pass@10" not in table
    assert table["Pass@mean"] == pytest.approx((1 / 8 + 3 / 8) / 2)
    assert table["Pass@mean_ranked"] == pytest.approx(0.25)
    assert table["Pass@1_low"] <= table["Pass@1"] <= table["Pass@1_high"]


def test_sample_figures_count_form_invalid_answers_and_distinct_items():
    user = [
        CHAIN,
        CHAIN,
        replace(CHAIN, item=None),
        replace(CHAIN, item=None, format_ok=False, answered=False),
    ]
    figures = sample_figures([user], seconds=2.0)
    assert figures["format_rate"] == 0.75
    assert figures["invalid"] == 1
    assert figures["invalid_share"] == pytest.approx(1 / 3)
    assert figures["distinct_items"] == 1.0
    assert figures["chain_tokens"] == 10
    assert figures["tokens_per_second"] == 20.0


def test_a_swapped_chain_comes_from_a_user_with_another_target():
    assert swap_donors([3, 3, 5]) == [2, 2, 0]
    assert swap_donors([3, 3]) is None


def test_a_swapped_chain_lowers_pass_at_1_where_the_chain_names_the_item():
    class Parrot(Fixed):
        """Answers with the item that the chain names."""

        def sample_chains(self, histories, n, config, **_):
            return [[replace(CHAIN, item=i, chain=str(i))] * n for i in range(len(histories))]

        def answer_probabilities(self, histories, chains, targets, config, batch_size):
            return np.array([float(chain == str(target)) for chain, target in zip(chains, targets, strict=True)])

        def rank_after_chains(self, histories, chains, k, **_):
            rows = [[int(c)] + [i for i in range(12) if i != int(c)] for c in chains]
            certain = np.where(np.arange(k) == 0, 0.0, -np.inf)
            return np.array(rows)[:, :k], np.tile(certain, (len(rows), 1))

    row = evaluate_reasoning(Parrot(), questions([[0]] * 4, [0, 1, 2, 3]), num_samples=2).row
    assert row["Pass@1"] == row["Pass@1_expected"] == row["Pass@1_own_chain"] == 1.0
    assert row["Pass@1_swapped_chain"] == 0.0
    assert row["NDCG@10_chain_beam"] == 1.0
    assert (row["n_users"], row["n_samples"], row["format_rate"]) == (4, 2, 1.0)


def test_examples_are_chosen_by_rule():
    hits = np.array([[0, 0], [1, 0], [0, 0], [0, 1], [1, 1]], dtype=bool)
    assert pick_rows(hits, 3) == [0, 1, 3]
    assert pick_rows(hits, 5) == [0, 1, 2, 3, 4]
    assert pick_rows(np.zeros((2, 1), dtype=bool), 5) == [0, 1]


def test_semantic_ids_in_a_chain_become_titles(toy):
    assert readable("kept: <a_0><b_2><c_0><a_1><b_0><c_0>", toy) == "kept: «Heat» «Casino»"
    assert readable("<a_2><b_0><c_0>", toy) == "<a_2><b_0><c_0>"  # no item has these codes


def test_the_toy_model_is_judged_end_to_end(toy):
    targets = questions([[i, i + 1] for i in range(6)], range(2, 8))
    direct = evaluate_direct(toy, targets, popularity=np.ones(12), stage="align", seed=5)
    assert (direct.row["stage"], direct.row["mode"], direct.row["seed"]) == ("align", "direct", 5)
    assert direct.items.shape == (6, 12)
    assert direct.row["Recall@20"] == 1.0  # twelve items, all listed
    judged = evaluate_reasoning(toy, targets, num_samples=2, max_new_tokens=20, seed=5)
    again = evaluate_reasoning(toy, targets, num_samples=2, max_new_tokens=20, seed=5)
    timing = {"seconds", "tokens_per_second"}
    assert {k: v for k, v in judged.row.items() if k not in timing} == {
        k: v for k, v in again.row.items() if k not in timing
    }
    drawn = evaluate_reasoning(toy, targets, num_samples=200, max_new_tokens=20, seed=5, swap=False)
    assert drawn.row["Pass@1"] == pytest.approx(drawn.row["Pass@1_expected"], abs=0.05)  # 1,200 draws
    assert (drawn.expected[~np.array([[s.format_ok for s in user] for user in drawn.samples])] == 0).all()
    assert evaluate_reasoning(toy, targets, num_samples=1, constrained=False, swap=False).expected is None
    examples = build_examples(toy, targets, judged.samples, judged.hits, count=2, user_ids=list("uvwxyz"))
    assert [len(e["reasoned"]) for e in examples] == [5, 5]
    assert examples[0]["user"] == "u"
    assert examples[0]["history"] == ["Alien", "Aliens"]
    assert examples[0]["target"] == "Heat"
