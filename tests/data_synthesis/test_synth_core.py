"""Limits, budget, journal and answers, each on its own."""

import asyncio
import errno
import random
from pathlib import Path
from typing import Any

import pytest

from data_synthesis.core.answers import INVALID, InvalidAnswer, parse_answer, with_repair
from data_synthesis.core.asking import Asker, JobConfig
from data_synthesis.core.budget import Budget, CapReached, Prices
from data_synthesis.core.limits import Limits
from data_synthesis.engines import Answer, Prompt, Transient, Usage
from data_synthesis.engines.wire import wait_seconds
from data_synthesis.journal import SYNC_SECONDS, Journal

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


def _prompt(**changes: Any) -> Prompt:
    return Prompt("k", lambda: [{"role": "user", "content": "x" * 300}], SCHEMA, **changes)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def _departures(requests: int, tokens: int, each: int, count: int) -> list[float]:
    clock = Clock()
    limits = Limits(requests, tokens, clock.time, clock.sleep)

    async def go() -> list[float]:
        times = []
        for _ in range(count):
            await limits.admit(each)
            times.append(clock.now)
        return times

    return asyncio.run(go())


def test_sixty_requests_per_minute_leave_a_second_apart() -> None:
    assert _departures(60, 0, 1000, 4) == pytest.approx([0, 1, 2, 3])


def test_tokens_per_minute_hold_requests_back() -> None:
    assert _departures(0, 6000, 1000, 4) == pytest.approx([0, 10, 20, 30])
    assert _departures(600, 6000, 1000, 3) == pytest.approx([0, 10, 20])


def test_pause_holds_everybody_back() -> None:
    clock = Clock()
    limits = Limits(0, 0, clock.time, clock.sleep)
    limits.pause(7)
    asyncio.run(limits.admit(1))
    assert clock.now == pytest.approx(7)


def test_budget_counts_what_is_under_way() -> None:
    async def go() -> None:
        budget = Budget(Prices(1.0, 2.0), max_cost=250e-6)
        most = Usage(50, 50)  # 150e-6
        await budget.reserve(most)
        waiting = asyncio.ensure_future(budget.reserve(most))
        await asyncio.sleep(0)
        assert not waiting.done()
        await budget.settle(most, Usage(50, 10))  # 70e-6
        await waiting
        await budget.settle(most, most)  # 220e-6
        with pytest.raises(CapReached, match="raise the cap"):
            await budget.reserve(most)
        assert budget.cost == pytest.approx(220e-6)

    asyncio.run(go())


class Scripted:
    """An engine that raises or answers as told."""

    name, settings, reads_words, remote, max_output_tokens, at_once = "scripted", {}, True, True, 10, 0

    def __init__(self, *script: Any) -> None:
        self.script = list(script)

    async def complete(self, prompt: Prompt) -> Answer:
        step = self.script.pop(0)
        if isinstance(step, float):
            await asyncio.sleep(step)
            return Answer("late")
        if isinstance(step, Exception):
            raise step
        return Answer(step, Usage(7, 3))

    async def close(self) -> None:
        """Nothing to release."""


def _ask(engine: Scripted, **changes: Any) -> tuple[str, Usage, int]:
    retried: list[int] = []

    async def go() -> tuple[str, Usage, int]:
        asker = Asker(engine, JobConfig(**{"retry_wait": 0.01} | changes), Usage(), lambda: retried.append(1))
        answer = await asker.ask(_prompt())
        return answer.text, asker.budget.spent, len(retried)

    return asyncio.run(go())


def test_retry_waits_as_long_as_the_server_asks() -> None:
    begun = asyncio.new_event_loop().time()
    text, spent, retried = _ask(Scripted(Transient("busy", retry_after=0.3), Transient("busy"), "fine"))
    assert (text, spent, retried) == ("fine", Usage(7, 3), 2)
    assert asyncio.new_event_loop().time() - begun >= 0.3


def test_lost_answer_counts_as_paid_and_is_asked_again() -> None:
    text, spent, retried = _ask(Scripted(0.5, "fine"), timeout=0.05)
    assert (text, retried) == ("fine", 1)
    assert spent == Usage(7 + _prompt().estimated_tokens, 3)


def test_last_retry_raises() -> None:
    with pytest.raises(Transient, match="third"):
        _ask(Scripted(Transient("first"), Transient("second"), Transient("third")), retries=2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty_answer"),
        ("<think>hm</think>", "empty_answer"),
        ("no braces", "invalid_json"),
        ('{"a": "open', "invalid_json"),
        ('{"a": 3}', "wrong_schema"),
        ('{"b": "x"}', "wrong_schema"),
        ("[1]", "invalid_json"),
        ('{"a": ' + "[" * 100_000, "invalid_json"),
        ('{"a": ' + "9" * 5_000 + "}", "invalid_json"),
    ],
)
def test_broken_answers_are_named(text: str, reason: str) -> None:
    with pytest.raises(InvalidAnswer) as caught:
        parse_answer(Answer(text), SCHEMA)
    assert caught.value.reason == reason
    assert reason in INVALID


@pytest.mark.parametrize(
    "text", ['{"a": "x"}', 'Here: {"a": "x"} ok?', '```json\n{"a": "x"}\n```', '<think>{"b"}</think>{"a": "x"}']
)
def test_json_is_found_in_chatter(text: str) -> None:
    assert parse_answer(Answer(text), SCHEMA) == {"a": "x"}


def test_one_repair_round_then_a_plain_question() -> None:
    broken = {"reason": "wrong_schema", "text": '{"b": 1}', "repair": False}
    repaired = with_repair(_prompt(), [broken])
    assert [m["role"] for m in repaired.messages] == ["user", "assistant", "user"]
    assert with_repair(_prompt(), [broken, {**broken, "repair": True}]).correction == ()
    assert with_repair(_prompt(), [{"reason": "refusal", "text": "", "repair": False}]).correction == ()


def test_paid_rows_share_their_fsyncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr("data_synthesis.journal.os.fsync", calls.append)

    async def go(journal: Journal) -> None:
        for number in range(200):
            journal.append({"n": number}, soon=True)
            assert (tmp_path / "j").read_bytes().endswith(b'{"n": %d}\n' % number), "a kill would lose it"
        await asyncio.sleep(2 * SYNC_SECONDS)

    with Journal(tmp_path / "j", "f") as journal:
        before = len(calls)
        asyncio.run(go(journal))
        assert len(calls) - before == 1


def test_failing_fsync_ends_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go(journal: Journal) -> None:
        def broken(number: int) -> None:
            raise OSError(errno.EIO, "the disk is broken")

        with monkeypatch.context() as patched:
            patched.setattr("data_synthesis.journal.os.fsync", broken)
            journal.append({"n": 1}, soon=True)
            await asyncio.sleep(2 * SYNC_SECONDS)
        with pytest.raises(OSError, match="disk is broken"):
            journal.append({"n": 2}, soon=True)

    with Journal(tmp_path / "j", "f") as journal:
        asyncio.run(go(journal))


def test_full_disk_leaves_whole_rows(tmp_path: Path) -> None:
    class Full:
        """Writes a few bytes of a line, then refuses."""

        def __init__(self, file: Any) -> None:
            self.file, self.room = file, 5

        def write(self, data: Any) -> int:
            if not self.room:
                raise OSError(errno.ENOSPC, "no space left")
            size = self.file.write(data[: self.room])
            self.room = 0
            return int(size)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    with Journal(tmp_path / "j", "f") as journal:
        journal.append({"n": 1})
        journal._file = Full(journal._file)  # type: ignore[assignment]
        with pytest.raises(OSError, match="no space"):
            journal.append({"n": 2})
    with Journal(tmp_path / "j", "f") as journal:
        assert journal.rows == [{"n": 1}]


def test_damaged_row_in_the_middle_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Journal(tmp_path / "j", "f") as journal:
        for number in range(3):
            journal.append({"n": number})
    (tmp_path / "j").write_bytes((tmp_path / "j").read_bytes().replace(b'{"n": 1}', b"\0\0\0\0\0\0\0\0"))
    with Journal(tmp_path / "j", "f") as journal:
        assert journal.rows == [{"n": 0}, {"n": 2}]
    assert "1 damaged rows" in caplog.text


def test_second_process_is_kept_out(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", "f"), pytest.raises(ValueError, match="another process"):
        Journal(tmp_path / "j", "f", overwrite=True)


def test_retry_after_is_read_in_all_its_forms() -> None:
    assert wait_seconds({"retry-after": "2.5"}) == 2.5
    assert wait_seconds({"retry-after-ms": "300"}) == 0.3
    assert wait_seconds({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert wait_seconds({"retry-after": "soon"}) is None
    assert wait_seconds({}) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"concurrency": 0}, "concurrency is 0"), ({"max_cost": 5.0}, "set the prices"), ({"timeout": 0}, "above 0")],
)
def test_bad_limits_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        JobConfig(**changes)


def test_jitter_spreads_retries() -> None:
    asker_waits = set()
    for seed in range(5):
        random.seed(seed)
        asker = Asker(Scripted(), JobConfig(), Usage(), lambda: None)
        state: Any = type("State", (), {"attempt_number": 2, "outcome": None})()
        asker_waits.add(asker._wait(state))
    assert len(asker_waits) == 5
