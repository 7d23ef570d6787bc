"""Stages that were killed: training is not thrown away while judging, and its seconds go on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sage_runs import sft_arguments
from sage_toys import toy_arguments

from genrec.data.files import write_json
from genrec.run import Session
from sage.sft.trainer import SageSFTTrainer
from sage.stages import validation
from sage.stages.judge import Judge
from sage.stages.run import judge_sft, train_sft
from sage.stages.validation import TrainingClock


def run_sft(folder: Path) -> Session:
    session = Session("sft", folder, False, None, True)
    arguments = sft_arguments(max_users=5, validation_users=5, num_beams=10, baseline_epochs=1, time_index=False)
    config = toy_arguments(folder, max_steps=2)
    data, recommender = train_sft(session, arguments, config)
    judge_sft(session, arguments, config, data, recommender)
    return session


def test_a_stage_that_was_killed_while_judging_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sft"
    with monkeypatch.context() as patch:
        patch.setattr(Judge, "report", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_sft(folder)
    assert (folder / "best").is_dir()
    assert (folder / "baselines").is_dir()
    monkeypatch.setattr(SageSFTTrainer, "train", lambda *_, **__: pytest.fail("trained again"))
    session = run_sft(folder)
    assert {"train_seconds", "vocabulary_seconds", "parameters", "rows"} <= set(session.facts)
    assert (tmp_path / "metrics.json").is_file()
    assert not (folder / "best").exists()
    assert not (folder / "baselines").exists()


def test_the_clock_counts_training_alone_and_goes_on_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(validation.time, "perf_counter", lambda: now[0])
    clock = TrainingClock(tmp_path)

    def begin(step: int) -> None:
        clock.on_train_begin(None, SimpleNamespace(global_step=step), None)

    def work(seconds: float) -> None:
        now[0] += seconds

    begin(0)
    work(5)
    with clock.stopped():
        work(30)
    work(2)
    assert clock.seconds() == 7.0
    rows: list[dict[str, Any]] = [{"step": 0, "train_seconds": 0.0}, {"step": 10, "train_seconds": 7.0}]
    write_json(tmp_path / "validation.json", [*rows, {"step": 20, "train_seconds": 15.0}])
    begin(10)  # the checkpoint of step 20 was never written
    work(4)
    assert clock.seconds() == 11.0
    begin(0)  # a fresh start counts from nothing
    assert clock.seconds() == 0.0
