"""The job: the same file after any interruption, refused mixes, honest counts."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_synthesis.config import CotConfig
from data_synthesis.cot import synthesize_chains
from data_synthesis.engines.offline import OfflineTeacher
from data_synthesis.examples import Example
from data_synthesis.facts import ItemFacts
from data_synthesis.job import partial_path, rejects_path, statistics_path
from data_synthesis.journal import Journal
from genrec.data import Dataset
from genrec.data.chains import Chain, read_chains, validate

CONFIG = CotConfig(max_chains=60)


class Stops(Exception):
    """Raised by an engine that breaks down."""


class Flaky(OfflineTeacher):
    """Breaks down after some chains."""

    def __init__(self, facts: ItemFacts, after: int) -> None:
        super().__init__(facts)
        self.left = after

    def write(self, example: Example, attempt: int = 0) -> Chain:
        self.left -= 1
        if self.left < 0:
            raise Stops
        return super().write(example, attempt)


class Leaky(OfflineTeacher):
    """Names the target in stage 1 of every other event, whatever the attempt."""

    def write(self, example: Example, attempt: int = 0) -> Chain:
        chain = super().write(example, attempt)
        if example.target % 2:
            chain.behaviour += " " + self.facts.names.titles[example.target]
        return chain


def _run(toy: Dataset, out: Path, config: CotConfig = CONFIG, **options: object) -> dict[str, object]:
    return synthesize_chains(toy, config, out, progress=False, **options).statistics  # type: ignore[arg-type]


def test_written_chains_are_valid_and_about_training_items(toy: Dataset, tmp_path: Path) -> None:
    _run(toy, tmp_path / "c.jsonl")
    chains = read_chains(tmp_path / "c.jsonl")
    assert len(chains) == 60
    held_out = {user: {*map(int, h[-2:])} for user, h in zip(toy.user_ids, toy.histories, strict=True)}
    for number, chain in enumerate(chains, 1):
        validate(chain, toy.catalogue, line=number)
        shown = {toy.catalogue.index_of(i) for i in (*chain.history, chain.target)}
        train = {int(i) for i in toy.histories[toy.user_ids.index(chain.user_id)][:-2]}
        assert shown <= train
        assert not (shown & (held_out[chain.user_id] - train))


def test_interrupted_job_finishes_to_the_same_files(toy: Dataset, tmp_path: Path) -> None:
    _run(toy, tmp_path / "whole.jsonl")
    facts = ItemFacts(toy.catalogue)
    out = tmp_path / "parts.jsonl"
    for after in (0, 7, 7, 20):
        with pytest.raises(Stops):
            _run(toy, out, engine=Flaky(facts, after))
        assert not out.exists()
    _run(toy, out)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert statistics_path(out).read_bytes() == statistics_path(tmp_path / "whole.jsonl").read_bytes()
    assert not partial_path(out).exists()


def test_torn_last_row_is_written_again(toy: Dataset, tmp_path: Path) -> None:
    _run(toy, tmp_path / "whole.jsonl")
    out = tmp_path / "torn.jsonl"
    with pytest.raises(Stops):
        _run(toy, out, engine=Flaky(ItemFacts(toy.catalogue), 30))
    partial_path(out).write_bytes(partial_path(out).read_bytes()[:-25])
    _run(toy, out)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_journal_of_other_settings_is_refused(toy: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "c.jsonl"
    with pytest.raises(Stops):
        _run(toy, out, engine=Flaky(ItemFacts(toy.catalogue), 5))
    with pytest.raises(ValueError, match="job with other settings or other data"):
        _run(toy, out, CotConfig(max_chains=60, seed=1))
    assert _run(toy, out, CotConfig(max_chains=60, seed=1), overwrite=True)["chains"] == 60


def test_finished_file_is_kept_and_a_foreign_one_refused(toy: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "c.jsonl"
    first = _run(toy, out)
    before = out.stat().st_mtime_ns
    assert _run(toy, out)["fingerprint"] == first["fingerprint"]
    assert out.stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="made with other settings"):
        _run(toy, out, CotConfig(max_chains=61))
    out.write_text(out.read_text().replace("likes", "loves"))
    with pytest.raises(ValueError, match="or was edited"):
        _run(toy, out)


def test_leaking_chains_are_dropped_and_counted(toy: Dataset, tmp_path: Path) -> None:
    counts = _run(toy, tmp_path / "c.jsonl", engine=Leaky(ItemFacts(toy.catalogue)))
    chains = read_chains(tmp_path / "c.jsonl")
    odd = sum(toy.catalogue.index_of(chain.target) % 2 for chain in chains)
    assert odd == 0
    assert counts["dropped_events"] == {"leak_title": 60 - len(chains)}
    assert counts["rejected_attempts"]["leak_title"] == 8 * (60 - len(chains))  # type: ignore[index]


def test_every_event_dropped_is_an_error(toy: Dataset, tmp_path: Path) -> None:
    class Silent(OfflineTeacher):
        def write(self, example: Example, attempt: int = 0) -> Chain:
            chain = super().write(example, attempt)
            chain.intent = ""
            return chain

    with pytest.raises(ValueError, match=r"every chain was dropped: \{'empty_intent': 60\}"):
        _run(toy, tmp_path / "c.jsonl", engine=Silent(ItemFacts(toy.catalogue)))
    assert not (tmp_path / "c.jsonl").exists()
    rejects = rejects_path(tmp_path / "c.jsonl").read_text().splitlines()
    assert {json.loads(line)["reason"] for line in rejects} == {"empty_intent"}


def test_repeated_wording_is_tried_again_then_kept_and_counted(toy: Dataset, tmp_path: Path) -> None:
    class Monotone(OfflineTeacher):
        def write(self, example: Example, attempt: int = 0) -> Chain:
            chain = super().write(example, attempt)
            name = self.facts.names.short
            chain.behaviour = chain.preferences = chain.intent = "always the same"
            chain.recommendation = f"{name[example.target]} after {name[example.history[-1]]}"
            return chain

    counts = _run(toy, tmp_path / "c.jsonl", engine=Monotone(ItemFacts(toy.catalogue)))
    events, share = counts["events"], counts["distinct_share"]
    assert events["repeated_wording"] >= 55  # type: ignore[index]
    assert share["passed"] is False  # type: ignore[index]


def test_users_without_enough_events_are_an_error(toy: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lower --min_history"):
        _run(toy, tmp_path / "c.jsonl", CotConfig(min_history=500, max_history=500))


def test_journal_keeps_whole_rows_only(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", "f") as journal:
        journal.append({"n": 1})
        journal.append({"n": 2})
    for cut in range(1, 9):
        data = (tmp_path / "j").read_bytes()
        (tmp_path / "k").write_bytes(data[:-cut])
        with Journal(tmp_path / "k", "f") as again:
            assert again.rows == [{"n": 1}]
            again.append({"n": 2})
        assert (tmp_path / "k").read_bytes() == data


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"per_user": 0}, "per_user is 0, but must be at least 1"),
        ({"max_history": 1}, "max_history is 1, but must be at least min_history"),
        ({"style": "long"}, "style is 'long', but must be one of compact, full"),
        ({"split": "random"}, "split is 'random'"),
    ],
)
def test_bad_settings_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CotConfig(**changes)  # type: ignore[arg-type]


def test_killed_process_continues_to_the_same_file(toy: Dataset, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    config = CotConfig(max_chains=400, per_user=4)
    _run(toy, whole, config)
    command = [sys.executable, "-m", "data_synthesis", "cot", "--data", "toy", "--out", str(out), "--quiet"]
    command += ["--max_chains", "400", "--per_user", "4"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _wait_for_rows(partial_path(out), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    subprocess.run(command, check=True, capture_output=True)
    assert out.read_bytes() == whole.read_bytes()
    assert json.loads(statistics_path(out).read_text())["chains"] == len(read_chains(whole))


def _wait_for_rows(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Waits until the journal holds a few rows (or the process is done already)."""
    while process.poll() is None and not (path.exists() and os.path.getsize(path) > 5_000):
        time.sleep(0.001)
