"""`make synth-server` starts the module of vLLM, since the CPU build has no script that works, and with patience."""

import itertools
from collections.abc import Callable
from types import ModuleType

import pytest


def test_server_is_started_as_a_module_on_this_machine_only(load_tool: Callable[[str], ModuleType]) -> None:
    words = load_tool("synth_server").command(8123, "/models/smol")
    assert words[1:3] == ["-m", "vllm.entrypoints.openai.api_server"]
    pairs = dict(itertools.pairwise(words))
    assert (pairs["--model"], pairs["--port"], pairs["--host"]) == ("/models/smol", "8123", "127.0.0.1")
    assert pairs["--dtype"] == "float32"


def test_without_vllm_it_says_what_to_do(
    load_tool: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = load_tool("synth_server")
    monkeypatch.setattr(tool.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("sys.argv", ["synth_server.py"])
    with pytest.raises(SystemExit, match="make setup WITH_VLLM=1"):
        tool.main()


def test_own_limits_of_the_environment_win(
    load_tool: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    tool, started = load_tool("synth_server"), []
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "7")
    monkeypatch.setattr(tool.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(tool, "smollm2_folder", lambda: "/models/smol")
    monkeypatch.setattr(tool.os, "environ", dict(tool.os.environ))
    monkeypatch.setattr(tool.os, "execv", lambda program, words: started.append(words))
    monkeypatch.setattr("sys.argv", ["synth_server.py", "--port", "9"])
    tool.main()
    assert started[0][-1] == "1024"
    assert tool.os.environ["VLLM_CPU_KVCACHE_SPACE"] == "7"
    assert int(tool.os.environ["VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS"]) > 3600
