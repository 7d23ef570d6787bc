"""Items that training never saw: what is withheld, what is asked, and that added items can be recommended."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from genrec.data.load import load_dataset
from gream.new_items import TextNeighbours, judge_new_items, withhold

ROOT = Path(__file__).parents[2]
FLAGS = {
    "index": """--encoder hash --num_levels 2 --codebook_size 16 --hidden_size 32 --num_layers 1 --num_heads 2
        --num_kv_heads 1 --intermediate_size 64 --vocab_size 500 --sasrec_epochs 1 --sasrec_hidden 16""",
    "cot": "--max_chains 20 --per_user 1",
    "align": "--max_steps 3 --validate_every 0 --validation_users 8 --num_beams 5 --text_repeats 0.2",
}


@pytest.fixture(scope="module")
def whole():
    return load_dataset("toy")


def test_nothing_of_a_new_item_is_left_and_no_question_is_lost(whole):
    withheld = withhold(whole, 0.2, seed=1)
    known, new = withheld.known, withheld.new
    assert len(new) == round(0.2 * whole.num_items)
    assert known.catalogue.item_ids + new.item_ids != whole.catalogue.item_ids  # a random draw, not the last ones
    assert sorted(known.catalogue.item_ids + new.item_ids) == sorted(whole.catalogue.item_ids)
    assert max(history.max() for history in known.histories) < known.num_items
    assert sum(len(asked) for asked in withheld.questions.values()) == whole.num_users
    names = known.catalogue.item_ids + new.item_ids
    original = whole.split().test
    for kind, asked in withheld.questions.items():
        assert ((asked.targets >= known.num_items) == (kind == "new")).all()
        for user, history, target in zip(asked.users, asked.histories, asked.targets, strict=True):
            told = [whole.catalogue.item_ids[item] for item in original.histories[user]]
            assert [names[item] for item in history] == told
            assert names[target] == whole.catalogue.item_ids[original.targets[user]]


def test_training_parts_are_parts_of_the_original_ones(whole):
    known = withhold(whole, 0.2, seed=1).known
    ids, split = whole.catalogue.item_ids, whole.split()
    place = {user: row for row, user in enumerate(whole.user_ids)}
    for user, train in zip(known.user_ids, known.split().train, strict=True):
        allowed = [ids[item] for item in split.train[place[user]]]
        assert set(known.catalogue.item_ids[item] for item in train) <= set(allowed)


@pytest.mark.parametrize("share", [0.0, 1.0, 1e-9])
def test_a_share_that_asks_nothing_is_refused(whole, share):
    with pytest.raises(ValueError, match=r"share"):
        withhold(whole, share, 0)


def test_text_neighbours_by_hand():
    model = TextNeighbours(np.array([[1, 0], [0, 2], [3, 3]], dtype=np.float32), decay=0.5)
    scores = model.score_histories([np.array([0, 1])])[0]
    # the profile is .5 (1, 0) + 1 (0, 1)
    assert scores.tolist() == pytest.approx([0.5, 1.0, 1.5 / 2**0.5])


def test_new_items_are_ranked_by_a_model_that_never_saw_them(whole, tmp_path):
    withheld = withhold(whole, 0.2, seed=1)
    withheld.known.save(tmp_path / "data")
    for stage, flags in FLAGS.items():
        words = [str(ROOT / f"recipes/gream_{stage}.py"), "--run_dir", str(tmp_path), *flags.split()]
        words += ["--dataset", str(tmp_path / "data")] if stage == "index" else []
        before, sys.argv = sys.argv, words
        try:
            runpy.run_path(words[0], run_name="__main__")
        finally:
            sys.argv = before
    held = {row["item_id"] for row in read_lines(tmp_path / "align")}
    assert not held & set(withheld.new.item_ids)
    rows = judge_new_items(tmp_path, withheld, "hash")
    asked = {(row["system"], row["stage"]): row for row in rows}
    fresh = asked["GREAM", "asked for new items"]
    assert fresh["n_users"] == len(withheld.questions["new"])
    assert fresh["invalid"] == 0
    assert fresh["Recall@50"] > 0  # 50 of so few items: some new one is always listed
    assert asked["Popularity", "asked for new items"]["Recall@1"] == 0
    assert asked["GREAM", "new items not yet in"]["n_users"] <= asked["GREAM", "asked for known items"]["n_users"]
    with pytest.raises(ValueError, match="trained on other items"):
        judge_new_items(tmp_path, withhold(whole, 0.2, seed=2), "hash")


def read_lines(folder):
    from genrec.data.catalogue import Catalogue

    return Catalogue.load(folder / "catalogue.jsonl.gz").frame.to_dicts()


def test_the_recipe_explains_itself(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gream_new_items.py", "--help"])
    with pytest.raises(SystemExit):
        runpy.run_path(str(ROOT / "recipes/gream_new_items.py"), run_name="__main__")
    assert "frozen" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--configs", "nosuch"], "lacks index.yaml, cot.yaml, align.yaml"),
        (["--share", "1.5"], "must lie in (0, 1), got 1.5"),
        (["--set", "aligned.seed=1"], "'aligned.seed=1' is not of the form stage.setting=value"),
    ],
)
def test_a_wrong_word_is_named_before_anything_runs(monkeypatch, capsys, words, said):
    monkeypatch.setattr(sys, "argv", ["gream_new_items.py", *words])
    with pytest.raises(SystemExit):
        runpy.run_path(str(ROOT / "recipes/gream_new_items.py"), run_name="__main__")
    assert said in capsys.readouterr().err
