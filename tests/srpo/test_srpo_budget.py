"""Rollout tokens: counted with the rounds that are thrown away, a limit that ends the run, a count that resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from srpo_toys import Replay, arguments, make_trainer

TOKENS = 8 * 3  # a generation of the replay: eight completions of three tokens


def run(folder: Path, output: Path, dead: bool = False, **changes: Any) -> Any:
    trainer = make_trainer(folder, arguments(output, **changes), rollout_func=Replay(dead))
    trainer.train(resume_from_checkpoint=changes.get("resume_from_checkpoint"))
    return trainer


def counts(trainer: Any) -> list[float]:
    return [entry["rollout_tokens"] for entry in trainer.state.log_history if "rollout_tokens" in entry]


def test_training_ends_with_the_step_that_spends_the_budget(toy_folder: Path, tmp_path: Path) -> None:
    trainer = run(toy_folder, tmp_path, dynamic_sampling=False, max_steps=9, max_rollout_tokens=2 * TOKENS + 1)
    assert counts(trainer) == [TOKENS, 2 * TOKENS, 3 * TOKENS]
    assert trainer.state.global_step == 3


def test_thrown_away_rounds_count(toy_folder: Path, tmp_path: Path) -> None:
    trainer = run(toy_folder, tmp_path, dead=True, dynamic_sampling=True, max_resample=2, max_steps=2)
    rounds = [entry["resample/rounds"] for entry in trainer.state.log_history if "resample/rounds" in entry]
    assert counts(trainer) == [TOKENS * (1 + rounds[0]), TOKENS * (2 + rounds[0] + rounds[1])]
    assert sum(rounds) > 0


def test_a_resumed_run_goes_on_counting(toy_folder: Path, tmp_path: Path) -> None:
    options = {"dynamic_sampling": False, "max_steps": 6, "save_strategy": "steps", "save_steps": 2}
    run(toy_folder, tmp_path, max_rollout_tokens=2 * TOKENS, **options)
    again = run(
        toy_folder,
        tmp_path,
        max_rollout_tokens=5 * TOKENS,
        resume_from_checkpoint=str(tmp_path / "checkpoint-2"),
        **options,
    )
    assert again.state.global_step == 5
    assert counts(again)[-1] == 5 * TOKENS
