"""How do questions become outcomes? Workers ask, check and journal until every question is settled."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from data_synthesis.core.answers import InvalidAnswer, parse_answer, with_repair
from data_synthesis.core.asking import Asker, JobConfig
from data_synthesis.core.meter import Meter
from data_synthesis.engines import Answer, Engine, Prompt, Refused, Transient, Usage
from data_synthesis.journal import Journal

logger = logging.getLogger(__name__)
NEAR_DUPLICATE = "near_duplicate"  # decided over all records at the end
REPEATED = "repeated_wording"  # the one reject reason that is kept when no attempt does better
GIVE_UP = 8  # questions in a row that got no answer after all retries: the engine is down
Record = TypeVar("Record")


class Unavailable(RuntimeError):
    """Questions are left without an answer; the same command continues."""


class Work(Protocol[Record]):
    """What a job writes.

    Attributes:
        attempts: Most answers per question.
    """

    attempts: int

    def prompts(self) -> Sequence[Prompt]:
        """The questions, each with its own key, in the order of the output."""

    def read(self, prompt: Prompt, fields: dict[str, Any]) -> Record:
        """The record that a valid answer stands for."""

    def judge(self, record: Record) -> str | None:
        """The reason why a record is rejected, or None."""

    def accept(self, record: Record) -> bool:
        """Remembers an accepted record; False when it only repeats an earlier one."""


@dataclass(frozen=True)
class Outcome(Generic[Record]):
    """What became of one question.

    Attributes:
        key: The question.
        record: The accepted record, or None when it was dropped.
        rejected: The reason of each rejected attempt, in order.
    """

    key: str
    record: Record | None
    rejected: tuple[str, ...]

    @property
    def dropped(self) -> str | None:
        """Why there is no record: the filter over all records if it was that, else the first reject reason."""
        if self.record is not None:
            return None
        return self.rejected[-1] if self.rejected[-1] == NEAR_DUPLICATE else self.rejected[0]


@dataclass
class Run(Generic[Record]):
    """A job under way: one engine, one journal, one set of questions.

    Attributes:
        work: What to write.
        engine: Who writes.
        config: Limits.
        journal: What is finished already, and where new answers go.
        meter: Counts and shows progress.
    """

    work: Work[Record]
    engine: Engine
    config: JobConfig
    journal: Journal
    meter: Meter
    rows: dict[str, list[dict[str, Any]]] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = defaultdict(list)
        self._accepted: dict[str, Record] = {}
        for row in self.journal.rows:
            self.rows[row["key"]].append(row)
        spent = sum((Usage(*row["usage"]) for row in self.journal.rows if "usage" in row), Usage())
        self._asker = Asker(self.engine, self.config, spent, self.meter.retried)
        self._missed = 0
        self.unanswered: list[str] = []

    async def outcomes(self) -> list[Outcome[Record]]:
        """Settles every question.

        Returns:
            One outcome per question, in their order.

        Raises:
            Unavailable: Some questions got no answer; everything else is in the journal.
            CapReached: A cap stopped the job.
            EngineError: The engine cannot work at all.
        """
        prompts = list(self.work.prompts())
        self._replay(prompts)
        pending = iter([p for p in prompts if not self._settled(p.key)])
        self.meter.begin(len(prompts), sum(self._settled(p.key) for p in prompts), self._asker.budget)
        width = self.engine.at_once or self.config.concurrency
        workers = [asyncio.ensure_future(self._work(pending)) for _ in range(min(width, len(prompts)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        if self.unanswered:
            raise Unavailable(
                f"{len(self.unanswered)} of {len(prompts)} questions got no answer; type the same command again"
            )
        return [self._outcome(prompt) for prompt in prompts]

    @property
    def spent(self) -> Usage:
        """Tokens of all runs of the job."""
        return self._asker.budget.spent

    def _replay(self, prompts: Sequence[Prompt]) -> None:
        """Reminds the work of what was accepted before."""
        for prompt in prompts:
            for row in self.rows.get(prompt.key, ()):
                if row["reason"] is None:
                    self.work.accept(self._record(prompt, row))

    async def _work(self, pending: Iterator[Prompt]) -> None:
        """Takes questions until none is left."""
        for prompt in pending:
            while not self._settled(prompt.key):
                if not await self._attempt(prompt):
                    break
            await asyncio.sleep(0)  # rules never wait: let an interrupt through

    async def _attempt(self, prompt: Prompt) -> bool:
        """Asks once and journals the answer; False when there was none."""
        rows = self.rows[prompt.key]
        question = with_repair(replace(prompt, attempt=len(rows)), rows) if rows else prompt  # words are built once
        reason: str | None
        try:
            answer = await self._asker.ask(question)
        except Transient as error:
            self._miss(prompt.key, error)
            return False
        except Refused as error:
            answer, reason = Answer(str(error)), "engine_refused"
        else:
            reason = self._judge(question, answer)
        self._missed = 0
        row = {
            "key": prompt.key,
            "reason": reason,
            "text": answer.text,
            "usage": [answer.usage.prompt, answer.usage.completion],
            "cut": answer.cut,
            "repair": bool(question.correction),
        }
        rows.append(row)
        self.journal.append(row, soon=self.engine.reads_words)
        self.meter.answered(reason, self._settled(prompt.key), any(r["reason"] in (None, REPEATED) for r in rows))
        return True

    def _judge(self, prompt: Prompt, answer: Answer) -> str | None:
        """The reject reason of an answer, or None."""
        try:
            record = self.work.read(prompt, parse_answer(answer, prompt.schema))
        except InvalidAnswer as error:
            return error.reason
        if reason := self.work.judge(record) or (None if self.work.accept(record) else REPEATED):
            return reason
        self._accepted[prompt.key] = record  # the outcome need not read the answer once more
        return None

    def _miss(self, key: str, error: Transient) -> None:
        """Counts a question without an answer; many in a row end the job."""
        logger.warning("no answer for %s: %s", key, error)
        self.unanswered.append(key)
        self._missed += 1
        if self._missed >= GIVE_UP:
            raise Unavailable(f"{self._missed} questions in a row got no answer, the last because of: {error}")

    def _settled(self, key: str) -> bool:
        """Whether nothing is left to ask."""
        rows = self.rows.get(key, [])
        return bool(rows) and (rows[-1]["reason"] in (None, "engine_refused") or len(rows) >= self.work.attempts)

    def _outcome(self, prompt: Prompt) -> Outcome[Record]:
        """The accepted answer; without one the first that only repeats another's wording."""
        rows = self.rows[prompt.key]
        good = next((r for r in rows if r["reason"] is None), None)
        kept = good or next((r for r in rows if r["reason"] == REPEATED), None)
        rejected = tuple(row["reason"] for row in rows if row["reason"])
        record = self._accepted.get(prompt.key)
        if record is None and kept is not None:
            record = self._record(prompt, kept)
        return Outcome(prompt.key, record, rejected)

    def _record(self, prompt: Prompt, row: dict[str, Any]) -> Record:
        """The record of a journalled answer that was valid when it came."""
        attempt = next(number for number, known in enumerate(self.rows[prompt.key]) if known is row)
        fields = parse_answer(Answer(row["text"], cut=row["cut"]), prompt.schema)
        return self.work.read(replace(prompt, attempt=attempt), fields)
