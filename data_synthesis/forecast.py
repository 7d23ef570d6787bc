"""What will a command cost? Requests, tokens, time and money of its questions, before any of them is asked."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_synthesis.config import CotConfig, EngineConfig
from data_synthesis.core.asking import JobConfig
from data_synthesis.engines import Prompt, Usage
from data_synthesis.filters import FilterOptions
from data_synthesis.options import settings
from data_synthesis.prompts.door import TrainingView, read_profiles
from data_synthesis.prompts.wording import COMMANDS
from data_synthesis.tasks.cot import CotTask
from data_synthesis.tasks.texts import TextConfig, TextTask
from genrec.data.dataset import Dataset
from genrec.data.load import load_dataset

SECONDS_PER_ANSWER = 2.0  # what is assumed for one answer of a hosted model
WORDS_PER_TEXT, TOKENS_PER_WORD = 60, 1.4
ALL = "all"


@dataclass(frozen=True)
class Forecast:
    """What the questions of a command cost if every first answer is accepted.

    Attributes:
        requests: Requests: one per question, or one per field where an answer is written field by field.
        read: Prompt tokens, an upper estimate: a third of the bytes.
        written: Answer tokens, if a text has 60 words.
        most: Answer tokens, if every answer reaches its limit.
        money: Price of what is read and written.
        worst: Price if every answer reaches its limit, per attempt.
        minutes: Time, by the limits or at 2 seconds per answer.
    """

    requests: int
    read: int
    written: int
    most: int
    money: float
    worst: float
    minutes: float

    @classmethod
    def of(cls, prompts: Sequence[Prompt], job: JobConfig, most_tokens: int) -> "Forecast":
        """Adds up the questions of a command.

        Args:
            prompts: All questions.
            job: Limits and prices.
            most_tokens: Longest answer.
        """
        read = sum(prompt.estimated_tokens for prompt in prompts)
        asked = sum(prompt.requests for prompt in prompts)
        texts = len(prompts[0].schema["properties"]) if prompts else 0
        each = round(texts * WORDS_PER_TEXT * TOKENS_PER_WORD)
        worst = Usage(read, most_tokens * asked)
        usage = Usage(read, min(each * len(prompts), worst.completion))
        waits = [asked * SECONDS_PER_ANSWER / job.concurrency / 60]
        waits += [asked / job.requests_per_minute] if job.requests_per_minute else []
        waits += [worst.total / job.tokens_per_minute] if job.tokens_per_minute else []
        price = job.prices.of
        return cls(asked, read, usage.completion, worst.completion, price(usage), price(worst), max(waits))

    def lines(self, priced: bool) -> dict[str, str]:
        """Readable values by name."""
        return {
            "requests": f"{self.requests:,}",
            "prompt tokens, at most": f"{self.read:,}",
            "answer tokens, about": f"{self.written:,}",
            "answer tokens, at most": f"{self.most:,}",
            "money, about": f"{self.money:.2f}" if priced else "set price_in, price_out",
            "money, at most per attempt": f"{self.worst:.2f}",
            "minutes, about": f"{self.minutes:.1f} (limits, or {SECONDS_PER_ANSWER:.0f} s per answer)",
        }


def estimate(options: argparse.Namespace) -> int:
    """Prints requests, tokens, time and money of one command or of all; nothing is asked.

    Returns:
        Exit code 0.
    """
    job = settings(options, JobConfig)
    dataset = load_dataset(options.data)
    wanted = COMMANDS if options.what == ALL else (options.what,)
    most = settings(options, EngineConfig).max_output_tokens
    found = {command: Forecast.of(questions(command, options, dataset), job, most) for command in wanted}
    if options.what != ALL:
        for name, value in found[options.what].lines(bool(job.price_in or job.price_out)).items():
            print(f"{name:<28}{value}")
    else:
        print("\n".join(table(found)))
    return 0


def table(found: Mapping[str, Forecast]) -> list[str]:
    """One line per command, and the sum."""
    names = ("requests", "read", "written", "most", "money", "worst", "minutes")
    heads = ("requests", "tokens in", "tokens out", "out at most", "money", "at most", "minutes")
    rows = {command: [getattr(forecast, name) for name in names] for command, forecast in found.items()}
    rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    lines = [f"{'command':<12}" + "".join(f"{head:>14}" for head in heads)]
    for command, values in rows.items():
        cells = (f"{value:>14,}" if isinstance(value, int) else f"{value:>14,.2f}" for value in values)
        lines.append(f"{command:<12}" + "".join(cells))
    return lines


def questions(command: str, options: argparse.Namespace, dataset: Dataset) -> list[Prompt]:
    """All questions of a command."""
    filters, writer = settings(options, FilterOptions), _Unasked(settings(options, EngineConfig))
    if command == "cot":
        chains = settings(options, CotConfig)
        return CotTask(TrainingView(dataset, kind=chains.split), chains, filters, writer).prompts()
    config = settings(options, TextConfig)
    return TextTask(command, view_of(dataset, config), config, filters, writer).prompts()


def view_of(dataset: Dataset, config: TextConfig) -> TrainingView:
    """The door to what prompts of the text commands may know."""
    return TrainingView(dataset, kind=config.split, profiles=read_profiles(config.profiles or None))


class _Unasked:
    """Stands for an engine where prompts are only counted."""

    reads_words = True
    remote = False
    at_once = 0

    def __init__(self, config: EngineConfig) -> None:
        self.name, self.max_output_tokens = config.model, config.max_output_tokens
        self.settings: Mapping[str, Any] = {"stepwise": True} if config.stepwise else {}

    async def complete(self, prompt: Prompt) -> Any:
        """An estimate asks nothing."""
        raise AssertionError("an estimate asks nothing")

    async def close(self) -> None:
        """Nothing to release."""
