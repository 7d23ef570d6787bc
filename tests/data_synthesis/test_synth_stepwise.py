"""One field at a time: what each step is shown, how the answer is put together, and what it costs."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

import numpy as np
import pytest

from data_synthesis.config import CotConfig, EngineConfig
from data_synthesis.core.answers import parse_answer
from data_synthesis.engines import Answer, Prompt, Transient, Usage
from data_synthesis.engines.stepwise import Step, StepwiseEngine, field_of
from data_synthesis.filters import FilterOptions
from data_synthesis.options import add_settings
from data_synthesis.prompts.door import TrainingView
from data_synthesis.tasks.cot import CotTask
from genrec.data import Catalogue, Dataset


class Scripted:
    """Answers each step with a sentence of its own and remembers what it was asked."""

    reads_words, remote, at_once, max_output_tokens = True, True, 0, 50
    name, settings = "scripted", {"engine": "scripted"}

    def __init__(self) -> None:
        self.asked: list[Prompt] = []

    async def complete(self, prompt: Prompt) -> Answer:
        self.asked.append(prompt)
        text = (
            "items 3 and 1, and 99"
            if "numbers only" in prompt.messages[-1]["content"]
            else "It goes with Train0. Cut o"
        )
        return Answer(text, Usage(10, 2))

    async def close(self) -> None:
        self.asked.clear()


@pytest.fixture
def task() -> CotTask:
    """Six items per user; the last two are validation and test."""
    histories = [np.arange(user * 6, user * 6 + 6) for user in range(3)]
    titles = [f"{'heldout' if item % 6 >= 4 else 'train'}{item}" for item in range(18)]
    records = [{"item_id": f"i{n}", "title": title} for n, title in enumerate(titles)]
    data = Dataset("t", histories, [f"u{n}" for n in range(3)], Catalogue.from_records(records), info={})
    return CotTask(TrainingView(data), CotConfig(per_user=1), FilterOptions(), StepwiseEngine(Scripted()))


def words_of(step: Step) -> str:
    return json.dumps(step.messages)


def test_only_the_recommendation_is_shown_the_next_item(task: CotTask) -> None:
    for prompt in task.prompts():
        target = task.view.title(prompt.subject.target)
        assert [s.field for s in prompt.steps] == ["behaviour", "preferences", "intent", "recommendation", "denoised"]
        assert [target in words_of(step) for step in prompt.steps] == [False, False, False, True, False]
        assert prompt.steps[3].begin == f"I recommend {target} because"
        assert not any("heldout" in words_of(step) for step in prompt.steps)


def test_the_answer_has_the_form_of_a_whole_one_and_the_cost_of_all_steps(task: CotTask) -> None:
    prompt = next(p for p in task.prompts() if p.subject.user_id == "u0")
    answer = asyncio.run(task.engine.complete(prompt))
    fields = parse_answer(answer, prompt.schema)
    title, shown = task.view.title(prompt.subject.target), len(prompt.subject.history)
    assert fields["recommendation"] == f"I recommend {title} because it goes with Train0."
    assert fields["denoised"] == [n for n in (1, 3) if n <= shown]
    assert answer.usage == Usage(50, 10)
    chain = task.read(prompt, fields)
    assert chain.denoised == ["i0", "i2"][: len(fields["denoised"])]
    assert task.judge(chain) is None


def test_limits_and_caps_see_every_request_of_an_answer(task: CotTask) -> None:
    prompt = task.prompts()[0]
    alone = [Prompt("k", lambda step=step: list(step.messages), {}).estimated_tokens for step in prompt.steps]
    assert prompt.requests == 5
    assert prompt.estimated_tokens == sum(alone)
    assert Prompt("k", list, {}).requests == 1


def test_steps_that_were_paid_before_a_failure_count(task: CotTask, monkeypatch: pytest.MonkeyPatch) -> None:
    inner, whole = Scripted(), Scripted.complete

    async def third_fails(self: Scripted, prompt: Prompt) -> Answer:
        if len(self.asked) == 2:
            raise Transient("gone")
        return await whole(self, prompt)

    monkeypatch.setattr(Scripted, "complete", third_fails)
    with pytest.raises(Transient) as caught:
        asyncio.run(StepwiseEngine(inner).complete(task.prompts()[0]))
    assert caught.value.billed


def test_other_engines_get_no_steps_and_prompts_without_steps_pass(task: CotTask) -> None:
    inner = Scripted()
    plain = CotTask(task.view, task.config, task.options, inner)
    prompt = plain.prompts()[0]
    assert prompt.steps == ()
    asyncio.run(StepwiseEngine(inner).complete(prompt))
    assert inner.asked == [prompt]


@pytest.mark.parametrize(
    ("step", "text", "field"),
    [
        (Step("behaviour", ()), "One. Two! Three.", "One. Two!"),
        (Step("behaviour", ()), "  One\n line ", "One line"),
        (Step("behaviour", ()), "Whole. Cut o", "Whole."),
        (Step("recommendation", (), "I take X because"), "i take x because of Y.", "i take x because of Y."),
        (Step("recommendation", (), "I take X because"), "Of Y.", "I take X because of Y."),
        (Step("recommendation", (), "I take X because"), "", ""),
        (Step("denoised", (), most=3), "4, 3, 03 and 1", [1, 3]),
        (Step("denoised", (), most=3), "none", []),
    ],
)
def test_a_field_is_what_was_said_and_no_more(step: Step, text: str, field: Any) -> None:
    assert field_of(step, text, 2) == field


@pytest.mark.parametrize(
    ("words", "found"),
    [([], False), (["--stepwise"], True), (["--stepwise=true"], True), (["--stepwise", "false"], False)],
)
def test_a_switch_is_on_bare_or_with_a_word(words: list[str], found: bool) -> None:
    parser = argparse.ArgumentParser()
    add_settings(parser, EngineConfig, "engine")
    assert parser.parse_args(words).stepwise is found


def test_a_switch_takes_no_other_word(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_settings(parser, EngineConfig, "engine")
    with pytest.raises(SystemExit):
        parser.parse_args(["--stepwise", "yes"])
    assert "neither true nor false" in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["offline", "openai_batch"])
def test_engines_that_answer_at_once_refuse_it(engine: Any) -> None:
    with pytest.raises(ValueError, match="stepwise"):
        EngineConfig(engine=engine, model="m", stepwise=True)
