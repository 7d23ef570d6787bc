"""The same rollouts on one and on two processes (gloo)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

HERE = Path(__file__).parent
Seen = dict[str, Any]


@pytest.fixture(scope="module")
def alone(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What one process saw."""
    from two_processes import main

    output = tmp_path_factory.mktemp("alone")
    main(toy_folder, output)
    return dict(json.loads((output / "seen_1_0.json").read_text()))


@pytest.fixture(scope="module")
def pair(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Seen]:
    """What each of two processes saw."""
    output = tmp_path_factory.mktemp("pair")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": path()}
    result = subprocess.run(
        [*command, str(HERE / "two_processes.py"), str(toy_folder), str(output)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr
    return [json.loads((output / f"seen_2_{rank}.json").read_text()) for rank in range(2)]


def path() -> str:
    """Import path that finds the toys and the packages of this checkout."""
    return os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])


def test_two_processes_give_the_advantages_of_one(alone: Seen, pair: list[Seen]) -> None:
    assert [seen["replay"]["world_size"] for seen in (alone, *pair)] == [1, 2, 2]
    for step in range(2):
        together = [prompt for seen in pair for prompt in seen["replay"]["prompts"][step]]
        assert together == alone["replay"]["prompts"][step]
        advantages = torch.tensor([a for seen in pair for a in seen["replay"]["advantages"][step]])
        torch.testing.assert_close(advantages, torch.tensor(alone["replay"]["advantages"][step]), atol=1e-6, rtol=0)
        assert advantages.abs().max() > 0.5


def test_two_processes_log_the_metrics_of_one(alone: Seen, pair: list[Seen]) -> None:
    names = ["hit_rate", "prefix_length", "distinct_items", "zero_variance/drawn", "hits_per_group/1"]
    one, two = alone["replay"]["log"][0], pair[0]["replay"]["log"][0]
    assert [two[name] for name in names] == pytest.approx([one[name] for name in names])


@pytest.mark.parametrize("processes", [1, 2])
def test_with_half_the_dataset_dead_the_batch_holds_live_groups_only(
    alone: Seen, pair: list[Seen], processes: int
) -> None:
    views = [seen["dead"] for seen in ([alone] if processes == 1 else pair)]
    kept = [prompt for view in views for step in view["prompts"] for prompt in step]
    assert len(kept) == 2 * 4 * 4
    assert {int(prompt[1:]) % 2 for prompt in kept} == {0}
    assert not any(masked for view in views for masked in view["masked"])
    assert all(abs(value) > 0.1 for view in views for step in view["advantages"] for value in step)
    assert all(entry["zero_variance/kept"] == 0 for entry in views[0]["log"] if "hit_rate" in entry)
    drawn = [entry["zero_variance/drawn"] for entry in views[0]["log"] if "hit_rate" in entry]
    assert sum(drawn) == pytest.approx(1.0)  # two steps of four groups visit all eight users: half of them dead
    assert all(entry["resample/rounds"] >= 1 for entry in views[0]["log"] if "hit_rate" in entry)
