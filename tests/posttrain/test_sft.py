"""Facts about supervised training on pre-tokenised rows."""

from __future__ import annotations

import json
import math

import pytest
import torch
from datasets import Dataset
from torch.utils.data import SequentialSampler
from transformers import TrainerCallback

from genrec.data.files import read_jsonl
from genrec.posttrain.batches import LengthGroupedSampler
from genrec.posttrain.callbacks import JsonlHistory, ThroughputCallback
from genrec.posttrain.sft import RecCollator, RecSFTTrainer, labelled_rows, labels_of
from gream.curriculum import CurriculumSampler


class StopAt(TrainerCallback):
    """Stop training after a step, as a kill would."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **_):
        control.should_training_stop = state.global_step >= self.step


class Recording(RecSFTTrainer):
    """Remember the token ids of every micro-batch."""

    def training_step(self, model, inputs, *args, **kwargs):
        self.seen = [*getattr(self, "seen", []), inputs["input_ids"].tolist()]
        return super().training_step(model, inputs, *args, **kwargs)


@pytest.fixture
def trainer(tiny):
    def make(folder, rows, sampler=None, cls=RecSFTTrainer, callbacks=(), eval_dataset=None, **changes):
        return cls(
            tiny.model(),
            tiny.args(folder, **changes),
            rows,
            eval_dataset=eval_dataset,
            processing_class=tiny.tokenizer(),
            sampler=sampler,
            callbacks=list(callbacks),
        )

    return make


def test_labels_keep_targets_and_ignore_the_rest():
    assert labels_of([5, 6, 7], [0, 1, 1]) == [-100, 6, 7]


def test_labels_refuse_a_mask_of_another_length():
    with pytest.raises(ValueError, match="3 tokens but 2 mask"):
        labels_of([5, 6, 7], [0, 1])


def test_collator_pads_right_and_ignores_padding_in_the_loss():
    batch = RecCollator(pad_token_id=9)(
        [{"input_ids": [1, 2, 3], "completion_mask": [0, 0, 1]}, {"input_ids": [4, 5], "labels": [-100, 5]}]
    )
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 5, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["labels"].tolist() == [[-100, -100, 3], [-100, 5, -100]]


def test_a_row_over_the_limit_is_an_error_and_not_cut():
    rows = Dataset.from_dict({"input_ids": [[1, 2], [1, 2, 3]], "completion_mask": [[0, 1], [0, 1, 1]]})
    with pytest.raises(ValueError, match="row 1 has 3 tokens, more than max_length 2"):
        labelled_rows(rows, max_length=2)


def test_a_row_without_target_is_an_error():
    rows = Dataset.from_dict({"input_ids": [[1, 2]], "completion_mask": [[0, 0]]})
    with pytest.raises(ValueError, match="row 0 has no target"):
        labelled_rows(rows)


def test_loss_counts_completion_tokens_only(tmp_path, tiny, trainer):
    rows = tiny.rows(4)
    run = trainer(tmp_path, rows, sampler=SequentialSampler(range(4)), learning_rate=0.0)
    run.train()
    model = run.model.eval()
    total, count = 0.0, 0
    for row in rows:
        with torch.no_grad():
            logits = model(torch.tensor([row["input_ids"]])).logits[0].log_softmax(-1)
        for position in range(len(row["input_ids"]) - 2, len(row["input_ids"])):
            total -= float(logits[position - 1, row["input_ids"][position]])
            count += 1
    assert run.state.log_history[0]["loss"] == pytest.approx(total / count, abs=1e-4)


def test_the_sampler_decides_the_order(tmp_path, tiny, trainer):
    rows = tiny.rows(12)
    sampler = CurriculumSampler(8, 4, batch_size=4, epochs=1, seed=3)
    run = trainer(tmp_path, rows, sampler=sampler, cls=Recording)
    run.train()
    expected = list(sampler.batches())
    assert len(run.seen) == len(expected) == 3
    for seen, batch in zip(run.seen, expected, strict=True):
        for padded, row in zip(seen, batch, strict=True):
            ids = rows[row]["input_ids"]
            assert padded[: len(ids)] == ids


def test_rows_are_grouped_by_length_without_a_sampler(tmp_path, tiny, trainer):
    run = trainer(tmp_path, tiny.rows(10))
    assert isinstance(run.row_sampler, LengthGroupedSampler)
    assert set(run.row_sampler) == set(range(10))


def test_grouped_order_depends_on_seed_and_epoch_only():
    sampler = LengthGroupedSampler([3, 9, 4, 8, 2, 7, 1], batch_size=2, seed=5)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert first != second
    again = LengthGroupedSampler([3, 9, 4, 8, 2, 7, 1], batch_size=2, seed=5)
    assert list(again) == first
    assert len(again) == len(first) == 8


def test_a_sampler_of_all_epochs_refuses_several_epochs(tmp_path, tiny, trainer):
    with pytest.raises(ValueError, match="set it to 1"):
        trainer(tmp_path, tiny.rows(8), sampler=CurriculumSampler(4, 4, 4), num_train_epochs=3)


def test_packing_is_refused(tmp_path, tiny, trainer):
    with pytest.raises(ValueError, match="packed by history already"):
        trainer(tmp_path, tiny.rows(8), packing=True)


def test_training_logs_tokens_and_targets_per_second(tmp_path, tiny, trainer):
    run = trainer(tmp_path, tiny.rows(8))
    run.train()
    logged = [line for line in run.state.log_history if "loss" in line]
    assert len(logged) == 2
    for line in logged:
        # every row has 2 targets and 4 to 12 tokens
        assert 2.0 <= line["tokens_per_second"] / line["targets_per_second"] <= 6.0


def test_evaluation_reports_the_loss_of_held_out_rows(tmp_path, tiny, trainer):
    run = trainer(tmp_path, tiny.rows(4), eval_dataset=tiny.rows(4, seed=9))
    assert run.evaluate()["eval_loss"] == pytest.approx(math.log(40), abs=0.6)


@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_stopped_and_resumed_curriculum_equals_an_uninterrupted_one(tmp_path, tiny, trainer, accumulation):
    rows = tiny.rows(26)
    shape = {"per_device_train_batch_size": 4 // accumulation, "gradient_accumulation_steps": accumulation}

    def start(folder, callbacks=()):
        sampler = CurriculumSampler(17, 9, batch_size=4, seed=11)
        history = [ThroughputCallback(), JsonlHistory(folder / "log.jsonl"), *callbacks]
        return trainer(
            folder,
            rows,
            sampler=sampler,
            cls=Recording,
            callbacks=history,
            save_strategy="steps",
            save_steps=5,
            **shape,
        )

    whole = start(tmp_path / "whole")
    whole.train()
    stopped = start(tmp_path / "parts", [StopAt(8)])
    stopped.train()
    resumed = start(tmp_path / "parts")
    resumed.train(resume_from_checkpoint=str(tmp_path / "parts" / "checkpoint-5"))

    assert whole.state.global_step == resumed.state.global_step == 24
    assert resumed.seen == whole.seen[5 * accumulation :]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    one, two = (read_jsonl(tmp_path / name / "log.jsonl") for name in ("whole", "parts"))
    assert [line["step"] for line in two] == [line["step"] for line in one] == [*range(1, 25), 24]
    assert [line.get("loss") for line in two] == [line.get("loss") for line in one]


def test_grouped_training_over_two_epochs_resumes_in_the_second(tmp_path, tiny, trainer):
    rows = tiny.rows(20)

    def start(folder, callbacks=()):
        return trainer(
            folder,
            rows,
            cls=Recording,
            callbacks=callbacks,
            num_train_epochs=2,
            save_strategy="steps",
            save_steps=7,
        )

    whole = start(tmp_path / "whole")
    whole.train()
    start(tmp_path / "parts", [StopAt(8)]).train()
    resumed = start(tmp_path / "parts")
    resumed.train(resume_from_checkpoint=str(tmp_path / "parts" / "checkpoint-7"))
    assert whole.state.global_step == resumed.state.global_step == 10
    assert whole.seen[:5] != whole.seen[5:]
    assert resumed.seen == whole.seen[7:]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_a_fresh_run_starts_its_history_anew(tmp_path, tiny, trainer):
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"step": 99, "loss": 1.0}) + "\n")
    trainer(tmp_path, tiny.rows(4), callbacks=[JsonlHistory(path)]).train()
    assert [line["step"] for line in read_jsonl(path)] == [1, 1]


def test_logs_before_training_are_kept(tmp_path, tiny, trainer):
    path = tmp_path / "log.jsonl"
    run = trainer(tmp_path, tiny.rows(4), eval_dataset=tiny.rows(4, seed=9), callbacks=[JsonlHistory(path)])
    run.evaluate()
    run.train()
    history = read_jsonl(path)
    assert "eval_loss" in history[0]
    assert [line["step"] for line in history] == [0, 1, 1]
