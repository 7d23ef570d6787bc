"""The generative head: soft tokens, rows, references, text figures, the rating sheet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from llmrec_shop import shop_records

from genrec.data import load_dataset
from genrec.data.errors import DataError
from genrec.llm.backbones import TinyConfig, load_backbone
from llmrec.generative.alignment.heads import AlignmentHeads, HeadsConfig
from llmrec.generative.metrics.sheet import read_ratings, write_sheet
from llmrec.generative.reasons import adapter
from llmrec.generative.settings import ReasonsArguments
from llmrec.generative.writing.answer import Reasoned
from llmrec.generative.writing.examples import (
    TEST,
    TRAIN,
    VALID,
    ReasonExample,
    candidates_of,
    read_reasons,
    retrieved_for,
    user_parts,
)
from llmrec.generative.writing.grounding import GroundingChecker
from llmrec.generative.writing.rows import RowMaker, vectors_of
from llmrec.generative.writing.trainer import VectorCollator, vector_prompt
from llmrec.generative.writing.tuned import TunedWriter, add_projector, load_head, save_head
from llmrec.generative.writing.vectors import PLACEHOLDER, filled
from llmrec.generative.writing.writers import Question

RECORDS = shop_records()
SHAPE = TinyConfig(16, 1, num_heads=2, num_kv_heads=2, intermediate=32, vocab_size=300, max_positions=1024)


def test_placeholders_are_filled_in_order() -> None:
    embedded = torch.zeros(2, 4, 1)
    ids = torch.tensor([[9, 1, 9, 2], [1, 2, 9, 3]])
    soft = torch.tensor([[[5.0], [7.0]], [[6.0], [8.0]]])
    assert filled(embedded, ids, soft, 9)[..., 0].tolist() == [[5, 0, 7, 0], [0, 0, 6, 0]]
    with pytest.raises(ValueError, match="2 placeholders for 1 vectors"):
        filled(embedded, ids, soft[:, :1], 9)


@pytest.fixture(scope="module")
def parts() -> tuple[Any, Any, AlignmentHeads]:
    model, tokenizer = load_backbone("tiny", texts=RECORDS.catalogue.texts(), tiny=SHAPE)
    heads = AlignmentHeads(np.eye(8, dtype=np.float32), HeadsConfig(width=4, hidden=8)).eval()
    add_projector(model, tokenizer, 4)
    return model.eval(), tokenizer, heads


def test_the_vectors_change_what_the_model_says(parts: Any) -> None:
    model, tokenizer, _ = parts
    ids = torch.tensor([tokenizer(f"{PLACEHOLDER}{PLACEHOLDER} hello")["input_ids"]])
    plain = model(input_ids=ids).logits
    with model.vector_prompt.given(torch.ones(1, 2, 4)):
        one = model(input_ids=ids).logits
    with model.vector_prompt.given(-torch.ones(1, 2, 4)):
        other = model(input_ids=ids).logits
    assert not torch.allclose(one, other)
    torch.testing.assert_close(model(input_ids=ids).logits, plain)  # nothing is left behind


def test_gradients_reach_the_projector(parts: Any) -> None:
    model, tokenizer, _ = parts
    ids = torch.tensor([tokenizer(f"{PLACEHOLDER} hello there")["input_ids"]])
    with vector_prompt(model).given(torch.ones(1, 1, 4)):
        model(input_ids=ids, labels=ids).loss.backward()
    grads = [p.grad for p in model.vector_prompt.parameters()]
    assert all(g is not None and torch.isfinite(g).all() and (g != 0).any() for g in grads)
    model.zero_grad()


def test_gradients_reach_the_projector_below_an_adapter_and_the_merged_model_keeps_it() -> None:
    from peft import get_peft_model

    model, tokenizer = load_backbone("tiny", texts=RECORDS.catalogue.texts(), tiny=SHAPE)
    before = add_projector(model, tokenizer, 4).project[0].weight.detach().clone()
    tuned = get_peft_model(model, adapter(ReasonsArguments(use_lora=True)))
    ids = torch.tensor([tokenizer(f"{PLACEHOLDER} hello there")["input_ids"]])
    step = torch.optim.SGD([p for p in tuned.parameters() if p.requires_grad], lr=1.0)
    with vector_prompt(tuned).given(torch.ones(1, 1, 4)):
        tuned(input_ids=ids, labels=ids).loss.backward()
    step.step()
    merged = tuned.merge_and_unload(safe_merge=True)
    assert not torch.equal(merged.vector_prompt.state_dict()["project.0.weight"], before)
    assert set(merged.vector_prompt.state_dict()) == {f"project.{n}.{p}" for n in (0, 2) for p in ("weight", "bias")}


@pytest.mark.parametrize("conditioning", ["text", "vector", "both"])
def test_prompts_show_what_the_head_is_conditioned_on(parts: Any, conditioning: str) -> None:
    maker = RowMaker(RECORDS, parts[1], conditioning)
    prompt = maker.prompt([0], [1, 2])
    assert prompt.count(PLACEHOLDER) == (0 if conditioning == "text" else 3)
    assert ("Tarnwood" in prompt) == (conditioning != "vector")
    assert "a2" in prompt
    row = maker.row(prompt, maker.answer(1, "Good."))
    mask = np.array(row["completion_mask"])
    assert parts[1].decode(np.array(row["input_ids"])[mask == 1]).startswith('{"items": [{"item_id": "a2"')
    assert row["input_ids"][-1] == parts[1].eos_token_id


def test_batches_carry_padded_vectors(parts: Any) -> None:
    from genrec.posttrain.rows import RecCollator

    rows = [{"input_ids": [1, 2], "labels": [-100, 2], "vectors": [[1.0] * 4] * n} for n in (1, 3)]
    batch = VectorCollator(RecCollator(0))(rows)
    assert batch["vectors"].shape == (2, 3, 4)
    assert batch["vectors"][0, 1:].abs().sum() == 0


def test_an_untrained_head_still_answers_with_retrieved_items(parts: Any, tmp_path: Path) -> None:
    model, tokenizer, heads = parts
    save_head(tmp_path, model, tokenizer, {"conditioning": "both", "max_history": 5, "shown": 3})
    writer = load_head(tmp_path, RECORDS, heads, max_new_tokens=8)
    rows = writer.write(Question([0], [1, 2, 3, 4], (), 3))
    assert [row.item_id for row in rows] == ["a2", "a3", "b1"]  # the rules stand in, item after item
    assert writer.failures == 3
    again = TunedWriter(model, RowMaker(RECORDS, tokenizer, "both"), heads, 3, 8)
    asked = [(Question([0], [1, 2, 3]), [1, 2, 3]), (Question([3, 4], [1, 2]), [1, 2]), (Question([0], [5]), [5])]
    together = again.complete(asked)
    assert together == [writer.complete([one])[0] for one in asked]  # a batch's padding changes nothing
    assert together[2].startswith('{"items": [{"item_id": "b3", "reason": "')  # a given item's answer is begun
    questions = [Question([0], [1, 2, 3, 4], (), 3), Question([0], [5], (), 2)]
    assert [[row.item_id for row in rows] for rows in again.write_all(questions)] == [["a2", "a3", "b1"], ["b3"]]
    with pytest.raises(ValueError, match=r"head\.json"):
        load_head(tmp_path / "nothing", RECORDS, heads)


def reasons_file(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "reasons.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_both_kinds_of_reasons_are_read_and_test_items_refused(tmp_path: Path) -> None:
    dataset = load_dataset("toy")
    split, ids = dataset.split(), dataset.catalogue.item_ids
    history, target = [ids[i] for i in split.train[0][:2]], ids[int(split.train[0][2])]
    user = dataset.user_ids[0]
    chain = {"user_id": user, "history": history, "target": target, "recommendation": "Because  it fits."}
    record = {"kind": "reasons", "subject": user, "history": history, "target": target, "texts": {"reason": "It fits."}}
    found = read_reasons(reasons_file(tmp_path, [chain, record]), dataset, split)
    assert [example.reason for example in found] == ["Because it fits.", "It fits."]
    secret = next(i for i in range(dataset.num_items) if i not in split.train[0])
    for broken, match in (
        ({**chain, "target": ids[secret]}, "not in training"),
        ({**chain, "user_id": "nobody"}, "unknown"),
        ({"target": target}, "no reason"),
        ({**chain, "target": "zzz"}, "no such item"),
    ):
        with pytest.raises(DataError, match=match):
            read_reasons(reasons_file(tmp_path, [broken]), dataset, split)
    with pytest.raises(DataError, match="no such file"):
        read_reasons(tmp_path / "none", dataset, split)


def test_parts_keep_users_whole() -> None:
    examples = [ReasonExample(user, (0,), 1, "x") for user in (0, 0, 1, 2, 2, 3)]
    parts = user_parts(examples, 0.25, 0)
    users = [{e.user for e, at in zip(examples, parts, strict=True) if at == part} for part in (TRAIN, VALID, TEST)]
    assert [len(some) for some in users] == [2, 1, 1]
    assert set.union(*users) == {0, 1, 2, 3}
    with pytest.raises(ValueError, match="cannot be split"):
        user_parts(examples[:3], 0.25, 0)


def test_candidates_are_what_the_heads_retrieve_with_the_target_among_them() -> None:
    heads = AlignmentHeads(np.eye(8, dtype=np.float32), HeadsConfig(width=4, hidden=8))
    examples = [ReasonExample(0, (2,), 0, "x"), ReasonExample(1, (1, 3), 5, "y")]
    found = retrieved_for(heads, examples, 3)
    for example, retrieved in zip(examples, found, strict=True):
        scores = heads.score_histories([np.array(example.history)])[0].numpy()
        scores[list(example.history)] = -np.inf
        assert retrieved == np.argsort(-scores)[:3].tolist()
    assert sorted(candidates_of(examples[0], [4, 5, 6], 4, 0)) == [0, 4, 5, 6]  # put in where it is absent
    assert sorted(candidates_of(examples[0], [0, 5], 4, 0)) == [0, 5]
    assert candidates_of(examples[0], [4, 5, 6], 1, 0) == [0]
    user, items = np.ones(2, dtype=np.float32), np.eye(2, dtype=np.float32)
    assert vectors_of(user, items, [1]) == [[1.0, 1.0], [0.0, 1.0]]


def test_lists_are_ranked_before_and_after_the_checker() -> None:
    from llmrec.generative.metrics.written import choice_accuracy, ranking_of_lists

    asked = [Question([0], [1, 2, 3], (), 2), Question([0], [3, 4, 5], (), 2)]
    lists = [[Reasoned("zzz", ""), Reasoned("a3", "")], [Reasoned("b2", ""), Reasoned("a2", "")]]
    table = ranking_of_lists(GroundingChecker(RECORDS), asked, lists, [2, 1], k=2)
    # the invention keeps its place, and goes in the check; the second list's target was not retrieved
    assert (table["HR@2_written"], table["HR@2_checked"], table["HR@2_retrieved"]) == (1.0, 0.5, 0.5)
    assert table["NDCG@2_written"] == pytest.approx(1 / np.log2(3))
    assert table["NDCG@2_checked"] == 0.5
    assert choice_accuracy(RECORDS, lists, [2, 4]) == 0.5


def test_bleu_and_rouge_know_their_ends() -> None:
    pytest.importorskip("sacrebleu")
    pytest.importorskip("rouge_score")
    from llmrec.generative.metrics.text import bleu_4, rouge_l, text_table

    same = ["a tent from the north for camping", "a strap for the guitar you chose"]
    assert text_table(same, same) == {"BLEU-4": pytest.approx(100.0), "ROUGE-L": pytest.approx(100.0)}
    assert bleu_4(["nothing alike"], same[:1]) < 5
    # longest common subsequence "a b d" of 4 and 4 words: precision and recall 3/4
    assert rouge_l(["a b x d"], ["a b c d"]) == pytest.approx(75.0)
    with pytest.raises(ValueError, match="one reference per text"):
        bleu_4([], [])


def test_the_rating_sheet_is_blind_and_harmless(tmp_path: Path) -> None:
    examples = [
        {"system": name, "history": "=1+1", "item": "Tent", "reason": f"@cmd {name == 'a'}"} for name in ("a", "b")
    ]
    sheet, key = write_sheet(tmp_path, examples)
    text = sheet.read_text()
    assert "'=1+1" in text
    assert "'@cmd" in text
    filled_in = "\n".join(f"{line[:-1]}{n},4" if n else line for n, line in enumerate(text.splitlines()))
    sheet.write_text(filled_in + "\n")
    systems = json.loads(key.read_text())
    found = read_ratings(sheet, key)
    assert found[systems["0"]] == {"usefulness": 1.0, "fluency": 4.0}
    sheet.write_text(filled_in.replace(",4", ",9"))
    with pytest.raises(ValueError, match="from 1 to 5"):
        read_ratings(sheet, key)
