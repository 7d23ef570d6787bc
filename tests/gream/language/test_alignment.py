"""Facts about the alignment rows: targets, contexts, texts, and packed = expanded."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from genrec.llm.backbones import TinyConfig, build_tiny
from gream.alignment import AlignmentConfig, build_alignment_rows, packing_counts, row_counts
from gream.alignment.texts import attribute_summary, item_query
from gream.prompts import TASKS, PromptConfig


@pytest.fixture(scope="module")
def build(shop, formatter):
    def make(chains=None, form=formatter, split=shop.split, **changes):
        return build_alignment_rows(split, shop.dataset, form, chains, config=AlignmentConfig(**changes))

    return make


@pytest.fixture(scope="module")
def read(formatter):
    """Row -> (prompt text, completion text)."""

    def decode(row):
        first = row["completion_mask"].index(1) if 1 in row["completion_mask"] else len(row["input_ids"])
        return tuple(formatter.tokenizer.decode(part) for part in (row["input_ids"][:first], row["input_ids"][first:]))

    return decode


@pytest.fixture(scope="module")
def model(formatter):
    torch.manual_seed(0)
    shape = TinyConfig(32, 2, num_heads=2, num_kv_heads=1, intermediate=64, max_positions=512)
    return build_tiny(shape, len(formatter.tokenizer)).eval().float()


def target_losses(model, rows, sid_length=3):
    """Sum of target losses in double precision, and how often each target SID occurs."""
    total, targets = 0.0, Counter()
    for row in rows:
        ids, mask = torch.tensor([row["input_ids"]]), row["completion_mask"]
        with torch.no_grad():
            scores = model(ids).logits[0].double().log_softmax(-1)
        places = [place for place, target in enumerate(mask) if target]
        total -= sum(float(scores[place - 1, row["input_ids"][place]]) for place in places)
        for start in range(0, len(places), sid_length):
            targets[tuple(row["input_ids"][place] for place in places[start : start + sid_length])] += 1
    return total, targets


def clipped(split, most):
    """Training histories of 20 users, at most `most` items each."""
    from genrec.data.split import Split

    return Split([history[:most] for history in split.train[:20]], split.valid, split.test)


def test_packed_and_expanded_rows_have_the_same_targets_and_the_same_loss(build, model, shop):
    short = clipped(shop.split, 20)
    settings = {"tasks": ("sequential",), "wording_variety": 0.0, "split": short}
    packed, expanded = build(packed=True, **settings), build(packed=False, **settings)
    assert len(packed) == sum(len(h) >= 2 for h in short.train)
    assert len(expanded) == sum(len(h) - 1 for h in short.train if len(h) >= 2)
    one, two = target_losses(model, packed), target_losses(model, expanded)
    assert one[1] == two[1]
    assert one[0] == pytest.approx(two[0], rel=1e-5)
    per_target = sum(one[1].values()) * 3
    assert abs(one[0] - two[0]) / per_target < 1e-5


def test_each_packed_target_has_the_loss_of_its_expanded_row(build, model, shop):
    from genrec.data.split import Split

    one_user = Split([shop.split.train[2]], shop.split.valid, shop.split.test)
    settings = {"tasks": ("sequential",), "wording_variety": 0.0, "split": one_user}
    (packed,) = build(packed=True, **settings)
    with torch.no_grad():
        scores = model(torch.tensor([packed["input_ids"]])).logits[0].log_softmax(-1)
    for row in build(packed=False, **settings):
        ids = row["input_ids"]
        assert packed["input_ids"][: len(ids)] == ids
        with torch.no_grad():
            alone = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        for place in range(len(ids) - 3, len(ids)):
            assert float(scores[place - 1, ids[place]]) == pytest.approx(float(alone[place - 1, ids[place]]), abs=1e-5)


def test_chunks_of_a_long_history_supervise_every_target_once(build, make_formatter, model, shop):
    form = make_formatter(PromptConfig(max_history=4))
    few = clipped(shop.split, 100)
    settings = {"tasks": ("sequential",), "wording_variety": 0.0, "form": form, "split": few}
    packed, expanded = build(packed=True, overlap=2, **settings), build(packed=False, **settings)
    assert target_losses(model, packed)[1] == target_losses(model, expanded)[1]
    opening = len(form.encode_prompt(form.direct_prompt([])))
    assert max(map(len, packed["input_ids"])) == opening + 5 * 3
    assert len(packed) > len(few.train)


def test_chunked_losses_equal_those_of_the_same_contexts(make_formatter, model, shop):
    """A chunk's target is judged exactly as by the prompt of the items the chunk shows before it."""
    from gream.alignment.packing import pack_history
    from gream.alignment.sequences import SequenceRows

    form = make_formatter(PromptConfig(max_history=4))
    history = [int(item) for item in shop.split.train[1]][:9]
    for chunk in pack_history(len(history), 4, 2):
        ids, mask = SequenceRows(form).encode(history, chunk, 0)
        for position in range(chunk.first_target, chunk.stop):
            context = form.encode_prompt(form.direct_prompt(history[chunk.start : position]))
            assert ids[: len(context)] == context
            assert ids[len(context) : len(context) + 3] == form.sid_ids(history[position])
            assert mask[len(context) : len(context) + 3] == [1, 1, 1]


def test_no_validation_or_test_item_enters_a_users_rows(build, shop, formatter):
    for user in range(10):
        from genrec.data.split import Split

        train = shop.split.train[user]
        one = Split([np.empty(0, int)] * user + [train], shop.split.valid, shop.split.test)
        rows = build(tasks=("sequential", "history_to_title", "history_to_preferences"), split=one)
        known = {tuple(formatter.sid_ids(int(item))) for item in train}
        ids = {int(t) for level in formatter.bound.token_ids for t in level}
        for row in rows:
            sid_tokens = [token for token in row["input_ids"] if token in ids]
            assert {tuple(sid_tokens[i : i + 3]) for i in range(0, len(sid_tokens), 3)} <= known


def test_the_first_item_is_context_and_never_a_target(build, formatter, shop):
    rows = build(tasks=("sequential",), wording_variety=0.0)
    opening = len(formatter.encode_prompt(formatter.direct_prompt([])))
    for row, history in zip(rows, shop.split.train, strict=False):
        assert row["completion_mask"] == [0] * (opening + 3) + [1] * (len(row["input_ids"]) - opening - 3)
        assert row["input_ids"][opening : opening + 3] == formatter.sid_ids(int(history[0]))


def test_fast_rows_equal_tokenised_strings(build, formatter, shop):
    rows = build(tasks=("sequential",), wording_variety=1.0)
    for row in rows.select(range(20)):
        text = formatter.tokenizer.decode(row["input_ids"])
        assert formatter.encode_prompt(text) == row["input_ids"]


@pytest.mark.parametrize("task", TASKS)
def test_every_task_gives_rows_with_targets_after_the_prompt(build, task):
    rows = build(tasks=(task,))
    assert set(rows["task"]) == {task}
    assert len(rows) >= 20
    for ids, mask in zip(rows["input_ids"], rows["completion_mask"], strict=True):
        assert len(ids) == len(mask)
        assert mask == sorted(mask)
        assert 0 < sum(mask) < len(mask)


def test_item_tasks_pair_the_item_with_its_own_text(build, read, shop, formatter):
    for task in ("sid_to_title", "text_to_sid", "sid_to_description", "query_to_sid"):
        for item, row in enumerate(build(tasks=(task,), wording_variety=0.0)):
            prompt, completion = read(row)
            title, sid = shop.catalogue.titles[item], formatter.sid(item)
            assert completion.endswith("<|im_end|>")
            if task.startswith("sid"):
                assert sid in prompt
                assert completion.startswith(title)
            else:
                assert completion == sid + "<|im_end|>"
                if task == "text_to_sid":
                    assert title in prompt


def test_next_title_is_the_item_after_the_shown_history(build, read, shop, formatter):
    for row, history in zip(build(tasks=("history_to_title",), wording_variety=0.0), shop.split.train, strict=False):
        prompt, completion = read(row)
        shown = formatter.vocabulary.parse(prompt)
        items = [shop.codes.item_of(codes) for codes in shown]
        assert items == [int(item) for item in history[: len(items)]]
        assert completion == shop.catalogue.titles[int(history[len(items)])] + "<|im_end|>"


def test_preferences_of_a_chain_are_the_summary(build, read, make_chain):
    rows = build([make_chain(user=0), make_chain(user=3)], tasks=("history_to_preferences",))
    completions = [read(row)[1] for row in rows]
    assert completions.count("sturdy outdoor brands<|im_end|>") == 2
    assert len(rows) == 60


def test_preferences_of_a_chain_search_for_its_target(build, read, make_chain, formatter, shop):
    rows = build([make_chain(user=0)], tasks=("query_to_sid",), wording_variety=0.0)
    prompt, completion = read(rows[len(rows) - 1])
    assert "sturdy outdoor brands" in prompt
    assert completion == formatter.sid(int(shop.split.train[0][-1])) + "<|im_end|>"


def test_a_chain_that_shows_the_test_item_is_refused(build, make_chain, shop):
    outside = shop.catalogue.item_ids[
        int(next(i for i in shop.dataset.histories[0][::-1] if i not in shop.split.train[0]))
    ]
    with pytest.raises(ValueError, match=f"item '{outside}' is not a training item of user"):
        build([make_chain(target=outside)])


def test_a_chain_of_an_unknown_user_is_refused(build, make_chain):
    with pytest.raises(ValueError, match="user 'nobody' is not in the data set"):
        build([make_chain(user_id="nobody")])


def test_the_same_seed_gives_the_same_rows_and_another_does_not(build):
    assert build(seed=1).to_dict() == build(seed=1).to_dict()
    assert build(seed=1).to_dict() != build(seed=2).to_dict()


def test_one_tasks_rows_do_not_depend_on_the_other_tasks(build):
    alone = build(tasks=("query_to_sid",)).to_dict()
    among = build().filter(lambda row: row["task"] == "query_to_sid").to_dict()
    assert alone == among


def test_weights_and_limits_choose_how_many_sources_are_used(build):
    base = Counter(build()["task"])
    tuned = Counter(
        build(
            weights={"sid_to_title": 2.0, "text_to_sid": 0.5, "query_to_sid": 0.0},
            limits={"history_to_title": 7},
        )["task"]
    )
    assert tuned["sid_to_title"] == 2 * base["sid_to_title"] == 120
    assert tuned["text_to_sid"] == 30
    assert "query_to_sid" not in tuned
    assert tuned["history_to_title"] == 7
    assert tuned["sequential"] == base["sequential"]


def test_wording_variety_sets_the_share_of_other_wordings(build, read):
    def fixed_share(variety):
        rows = build(tasks=("sequential",), wording_variety=variety, weights={"sequential": 5.0})
        first = "List this user's items in order."
        return np.mean([first in formatter_text for formatter_text, _ in map(read, rows)])

    assert fixed_share(0.0) == 1.0
    assert fixed_share(1.0) == 0.0
    assert fixed_share(0.5) == pytest.approx(0.5, abs=0.1)


def test_counts_of_built_rows_agree_with_the_arithmetic(build, formatter, shop):
    opening = len(formatter.encode_prompt(formatter.direct_prompt([])))
    expected = packing_counts(map(len, shop.split.train), max_history=20, sid_length=3, prompt_tokens=opening)
    for packed in (True, False):
        rows = build(tasks=("sequential",), wording_variety=0.0, packed=packed)
        assert row_counts(rows)["all"] == expected["packed" if packed else "expanded"]
    assert 0.0 < expected["ratio"] < 0.3


def test_row_counts_add_up(build):
    counts = row_counts(build())
    for kind in ("rows", "tokens", "targets"):
        assert counts["all"][kind] == sum(counts[task][kind] for task in TASKS)


def test_nothing_to_build_is_an_error(build):
    with pytest.raises(ValueError, match="no row came out"):
        build(tasks=("sequential",), limits={"sequential": 0})


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"tasks": ("poetry",)}, "tasks names unknown"),
        ({"tasks": ()}, "tasks is empty"),
        ({"weights": {"poetry": 1.0}}, "weights names unknown"),
        ({"limits": {"sequential": -1}}, "limits holds negative"),
        ({"wording_variety": 1.5}, "wording_variety is 1.5"),
        ({"max_text_words": 0}, "must be at least 1"),
    ],
)
def test_alignment_config_refuses_values_out_of_range(bad, message):
    with pytest.raises(ValueError, match=message):
        AlignmentConfig(**bad)


def test_summary_names_the_commonest_values_and_ties_go_to_the_first():
    history = [{"genres": ["Drama", "War"]}, {"genres": ["Comedy"], "year": ["1997"]}, {"genres": ["Comedy"]}]
    assert attribute_summary(history) == "genres: Comedy, Drama; year: 1997"


def test_summary_of_items_without_attributes_is_empty():
    assert attribute_summary([{}, {"brand": []}]) == ""


def test_a_query_is_made_of_the_items_own_words():
    rng = np.random.default_rng(0)
    query = item_query("Northfell Classic Tent 2P", {"brand": ["Northfell"], "categories": ["Camping"]}, rng)
    assert set(query.split()) <= {"Northfell", "Classic", "Tent", "Camping"}
    assert item_query("X1", {}, rng) == "X1"
