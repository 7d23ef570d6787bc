"""Does every shipped accelerate file parse, and do the two processes of one of them know of each other?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "accelerate_configs"
EXPECTED = {  # file -> distributed type, processes, on CPU
    "cpu": ("NO", 1, True),
    "cpu_2proc": ("MULTI_GPU", 2, True),
    "single_gpu": ("NO", 1, False),
    "ddp": ("MULTI_GPU", 8, False),
    "zero2": ("DEEPSPEED", 8, False),
    "zero3": ("DEEPSPEED", 8, False),
    "fsdp2": ("FSDP", 8, False),
}
SCRIPT = """
import json, sys
import torch.distributed
from accelerate import Accelerator
accelerator = Accelerator()
known = torch.tensor([float(accelerator.process_index)])
seen = sorted(accelerator.gather(known).tolist())
if accelerator.is_main_process:
    backend = torch.distributed.get_backend() if torch.distributed.is_initialized() else None
    state = [accelerator.num_processes, accelerator.device.type, backend, seen]
    open(sys.argv[1], "w").write(json.dumps(state))
accelerator.wait_for_everyone()
accelerator.end_training()
"""


def launch(name: str, tmp_path: Path, **extra: str) -> list[object]:
    """Run the script under `accelerate launch` and return [processes, device, backend, gathered ranks]."""
    script, answer = tmp_path / "script.py", tmp_path / "answer.json"
    script.write_text(SCRIPT, encoding="utf-8")
    command = ["-m", "accelerate.commands.launch", "--config_file", str(FOLDER / f"{name}.yaml")]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("ACCELERATE_", "COV_"))} | extra
    done = subprocess.run(
        [sys.executable, *command, str(script), str(answer)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    state: list[object] = json.loads(answer.read_text(encoding="utf-8"))
    return state


def test_the_folder_holds_exactly_the_expected_files() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_file_parses_through_accelerates_own_loader(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(FOLDER / f"{name}.yaml"))
    found = (config.distributed_type.value, config.num_processes, config.use_cpu)
    assert found == EXPECTED[name]
    assert config.mixed_precision == ("no" if config.use_cpu else "bf16")


@pytest.mark.parametrize(("name", "stage"), [("zero2", 2), ("zero3", 3)])
def test_the_zero_files_ask_for_their_stage(name: str, stage: int) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    assert load_config_from_file(str(FOLDER / f"{name}.yaml")).deepspeed_config["zero_stage"] == stage


def test_the_cpu_file_starts_one_process_without_a_group(tmp_path: Path) -> None:
    assert launch("cpu", tmp_path) == [1, "cpu", None, [0.0]]


def test_the_two_process_file_with_its_variable_starts_two_over_gloo(tmp_path: Path) -> None:
    assert launch("cpu_2proc", tmp_path, ACCELERATE_USE_CPU="true") == [2, "cpu", "gloo", [0.0, 1.0]]
