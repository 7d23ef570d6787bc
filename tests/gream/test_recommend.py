"""The recommender: folder and hash, three modes, never an invalid or repeated item."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from recommend_toys import CODES, TITLES, toy_index

from gream import GreamRecommender
from gream.recommend import SamplingConfig, save_recommender

SHORT = SamplingConfig(max_new_tokens=24, seed=3)
HISTORY = ["f1", "f5", "f7"]


def ids(found):
    return [item.item_id for item in found]


def test_importing_gream_loads_no_heavy_library():
    code = "import gream, sys; assert 'torch' not in sys.modules; print(gream.__all__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "GreamRecommender" in done.stdout


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    import gream

    with pytest.raises(AttributeError, match="GreamRecommender"):
        _ = gream.Nonsense


@pytest.mark.parametrize("mode", ["direct", "reasoning", "mixed"])
@pytest.mark.parametrize("exclude", [False, True])
def test_every_mode_lists_k_different_items_of_the_catalogue(toy, mode, exclude):
    found = toy.recommend(HISTORY, k=7, mode=mode, exclude_history=exclude, num_samples=3, sampling=SHORT)
    listed = ids(found)
    assert len(set(listed)) == 7
    assert set(listed) <= {f"f{i}" for i in range(12)}
    assert not exclude or not set(listed) & set(HISTORY)
    assert all(item.title == TITLES[item.item] and item.sid for item in found)


def test_direct_mode_ranks_by_the_probability_of_the_semantic_id(toy):
    # exhaustive: the sum of token log-probabilities of each of the 12 items behind the prompt
    prompt = toy.runner.direct_ids([1, 5, 7])
    tokens = toy.runner.vocabulary.bind(toy.runner.tokenizer).token_codes(toy.item_codes)
    expected = []
    for row in tokens.tolist():
        with torch.no_grad():
            logits = toy.runner.model(torch.tensor([prompt + row])).logits[0, len(prompt) - 1 : -1]
        expected.append(float(logits.log_softmax(-1)[range(len(row)), row].sum()))
    found = toy.recommend([1, 5, 7], k=12)
    assert [item.item for item in found] == np.argsort(-np.array(expected), kind="stable").tolist()
    assert [item.score for item in found] == pytest.approx(sorted(expected, reverse=True), abs=1e-4)


def test_reasoning_explains_each_item_and_direct_mode_explains_nothing(toy):
    reasoned = toy.recommend(HISTORY, k=4, mode="reasoning", num_samples=3, sampling=SHORT)
    assert all(item.reason for item in reasoned)
    assert reasoned[0].source == "votes"
    assert reasoned[0].votes >= 1
    assert all(item.reason == "" for item in toy.recommend(HISTORY, k=4))


def test_a_greedy_chain_is_followed_by_a_trie_beam(toy):
    found = toy.recommend(HISTORY, k=5, mode="reasoning", decode="greedy_beam", sampling=SHORT)
    assert {item.source for item in found} == {"chain_beam"}
    assert len({item.reason for item in found}) == 1
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)


def test_mixed_mode_is_three_reasoned_items_and_then_direct_ones(toy):
    found = toy.recommend(HISTORY, k=8, mode="mixed", num_samples=3, sampling=SHORT)
    assert [bool(item.reason) for item in found] == [True] * 3 + [False] * 5
    direct = [item for item in ids(toy.recommend(HISTORY, k=12)) if item not in ids(found)[:3]]
    assert ids(found)[3:] == direct[:5]


def test_the_seed_decides_the_chains(toy):
    first, second = (toy.recommend(HISTORY, k=3, mode="reasoning", sampling=SHORT) for _ in range(2))
    assert [item.to_json() for item in first] == [item.to_json() for item in second]


@pytest.mark.parametrize(
    ("history", "options", "message"),
    [
        ([], {}, "empty"),
        (["f99"], {}, "f99"),
        (HISTORY, {"k": 13}, "at most 12"),
        (HISTORY, {"k": 10, "exclude_history": True}, "at most 9"),
        (HISTORY, {"mode": "telepathy"}, "direct, reasoning, mixed"),
        (HISTORY, {"mode": "reasoning", "decode": "magic"}, "greedy_beam"),
        (HISTORY, {"mode": "reasoning", "sampling": SamplingConfig(max_new_tokens=5)}, "no room for a chain"),
    ],
)
def test_requests_that_cannot_be_answered_say_why(toy, history, options, message):
    with pytest.raises(ValueError, match=message):
        toy.recommend(history, **{"k": 3, **options})


def test_batches_rank_like_single_requests(toy):
    histories = [[1], [2, 3, 4, 5, 6, 7], [0, 11], [5, 5]]
    items, scores = toy.rank_direct(histories, k=6, batch_size=3)
    for row, history in enumerate(histories):
        alone, score = toy.rank_direct([history], k=6)
        assert items[row].tolist() == alone[0].tolist()
        assert scores[row] == pytest.approx(score[0], abs=1e-4)


def test_a_history_of_the_whole_catalogue_leaves_nothing_to_list(toy):
    items, scores = toy.rank_direct([list(range(12))], k=3, exclude_history=True)
    assert items.tolist() == [[-1, -1, -1]]
    assert np.isneginf(scores).all()


def test_free_sampling_never_draws_a_row_without_a_token(toy, monkeypatch):
    # the output matrix has three rows more than there are tokens; make their logits the largest
    tokens, drawn = len(toy.runner.tokenizer), []
    head, read = toy.runner.model.lm_head, toy.runner._read
    monkeypatch.setattr(toy.runner, "_read", lambda *a: drawn.append(a[3].tokens) or read(*a))
    hook = head.register_forward_hook(
        lambda module, inputs, logits: logits.index_fill(-1, torch.arange(tokens, tokens + 3), 99.0)
    )
    try:
        toy.sample_chains([[1], [2]], 2, SHORT, constrained=False)
        monkeypatch.setattr("gream.recommend.runner.PaddedRowsMask", lambda count: lambda ids, scores: scores)
        toy.sample_chains([[1], [2]], 2, SHORT, constrained=False)
    finally:
        hook.remove()
    masked, unmasked = drawn
    assert int(masked.max()) < tokens
    assert int(unmasked.min()) >= tokens


def test_closed_chains_always_answer_with_an_existing_item(toy):
    samples = [s for row in toy.sample_chains([[1], [2, 3]], 5, SHORT, close=True) for s in row]
    assert len(samples) == 10
    assert all(s.item in range(12) and s.answered for s in samples)
    assert all(s.num_tokens <= 24 for s in samples)


def test_samples_come_in_the_order_of_the_histories(toy):
    chains = toy.sample_chains([[1], [2, 3, 4, 5], [6]], 2, SHORT, batch_size=2)
    assert [[s.row for s in row] for row in chains] == [[0, 0], [1, 1], [2, 2]]


def test_the_folder_round_trips(toy, tmp_path):
    again = GreamRecommender.from_pretrained(toy.save_pretrained(tmp_path / "copy"), device="cpu")
    assert ids(again.recommend(HISTORY, k=12)) == ids(toy.recommend(HISTORY, k=12))
    assert again.parts.manifest["stage"] == "toy"


def test_an_index_of_another_run_is_refused_with_both_hashes(toy_folder, toy, tmp_path):
    other = toy_index(seed=1)
    shutil.copytree(toy_folder, tmp_path / "model")
    other.save(tmp_path / "model" / "index.json")
    with pytest.raises(ValueError, match=rf"{other.hash}.*{toy.item_codes.hash}.*Put the index.json"):
        GreamRecommender.from_pretrained(tmp_path / "model")


def test_an_index_given_by_the_caller_must_have_the_same_hash(toy_folder, toy):
    same = GreamRecommender.from_pretrained(toy_folder, index=toy.item_codes, device="cpu")
    assert same.item_codes.hash == toy.item_codes.hash
    with pytest.raises(ValueError, match="trained with the index"):
        GreamRecommender.from_pretrained(toy_folder, index=toy_index(seed=1))


@pytest.mark.parametrize("name", ["index.json", "catalogue.jsonl.gz", "prompts.json", "gream.json"])
def test_an_incomplete_folder_names_what_it_lacks(toy_folder, tmp_path, name):
    shutil.copytree(toy_folder, tmp_path / "model")
    (tmp_path / "model" / name).unlink()
    with pytest.raises(ValueError, match=name):
        GreamRecommender.from_pretrained(tmp_path / "model")


def test_a_folder_of_another_format_is_refused(toy_folder, tmp_path):
    shutil.copytree(toy_folder, tmp_path / "model")
    path = tmp_path / "model" / "gream.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(ValueError, match="format 99"):
        GreamRecommender.from_pretrained(tmp_path / "model")


def test_a_missing_folder_says_what_to_pass(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        GreamRecommender.from_pretrained(tmp_path / "nowhere")


def test_an_adapter_is_not_saved_as_a_recommender(toy, tmp_path):
    class Adapted:
        peft_config = object()

    parts = toy.parts
    with pytest.raises(ValueError, match="merge"):
        save_recommender(tmp_path, Adapted(), parts.tokenizer, parts.item_codes, parts.catalogue, parts.prompt_config)


def test_catalogue_and_index_must_have_the_same_size(toy, tmp_path):
    from genrec.data.catalogue import Catalogue

    parts, small = toy.parts, Catalogue.from_records([{"item_id": "x", "title": "X"}])
    with pytest.raises(ValueError, match="12 items and the catalogue 1"):
        save_recommender(tmp_path, parts.model, parts.tokenizer, parts.item_codes, small, parts.prompt_config)


def test_a_scenario_decides_the_mode(toy):
    found, record = toy.recommend_for("home_feed", HISTORY, 3)
    assert ids(found) == ids(toy.recommend(HISTORY, 3))
    assert record is None
    searched, _ = toy.recommend_for("search", HISTORY, 5, sampling=SHORT)
    assert [bool(item.reason) for item in searched] == [True] * 3 + [False] * 2


def test_an_audited_request_leaves_a_record_from_which_it_can_be_repeated(toy):
    found, record = toy.recommend_for("compliance", HISTORY, 3, sampling=SHORT, num_samples=4)
    assert json.loads(json.dumps(record)) == record
    assert [r["item_id"] for r in record["recommendations"]] == ids(found)
    assert [h["item_id"] for h in record["history"]] == HISTORY
    assert record["model"]["index_hash"] == toy.item_codes.hash
    assert len(record["chains"]) == 4
    settings = record["settings"]
    sampling = SamplingConfig(*(settings[k] for k in ("temperature", "top_p", "max_new_tokens", "seed")))
    again = toy.recommend(
        [h["item_id"] for h in record["history"]], settings["k"], settings["mode"],
        num_samples=settings["num_samples"], sampling=sampling,
    )  # fmt: skip
    assert [item.to_json() for item in again] == record["recommendations"]


def test_the_toy_index_is_what_the_tests_say():
    assert toy_index().item_of(CODES[7]) == 7
