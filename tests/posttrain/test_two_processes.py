"""Facts about supervised training on two processes: the same rows per step and the same weights as on one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = """
import json, os, runpy, sys
import torch
from genrec.posttrain.sft import RecSFTTrainer
from genrec.run.processes import leave_processes
from gream.curriculum import CurriculumSampler

folder, helpers, per_device = sys.argv[1], sys.argv[2], int(sys.argv[3])
tiny = runpy.run_path(helpers)
rank = int(os.environ.get("RANK", 0))

class Recording(RecSFTTrainer):
    seen = []

    def training_step(self, model, inputs, *args, **kwargs):
        for ids, mask in zip(inputs["input_ids"].tolist(), inputs["attention_mask"].tolist()):
            self.seen.append(ids[: sum(mask)])
        return super().training_step(model, inputs, *args, **kwargs)

args = tiny["tiny_args"](folder, per_device_train_batch_size=per_device, optim="sgd", learning_rate=0.5)
trainer = Recording(
    tiny["tiny_model"](), args, tiny["tiny_rows"](26), processing_class=tiny["tiny_tokenizer"](),
    sampler=CurriculumSampler(17, 9, batch_size=4, epochs=2, seed=11),
)
trainer.train()
json.dump({"seen": trainer.seen, "log": trainer.state.log_history}, open(f"{folder}/rank{rank}.json", "w"))
if rank == 0:
    torch.save(trainer.model.state_dict(), f"{folder}/weights.pt")
leave_processes(trainer.accelerator.num_processes)
"""


def run(folder: Path, processes: int) -> None:
    """Train on `processes` processes over gloo, 4 rows per optimizer step."""
    folder.mkdir()
    (folder / "script.py").write_text(SCRIPT)
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    root = Path(__file__).parents[2]
    env = {**os.environ, "ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    helpers = Path(__file__).with_name("conftest.py")
    command = [*launcher, str(folder / "script.py"), str(folder), str(helpers), str(4 // processes)]
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        _, errors = process.communicate(timeout=240)
    finally:  # the launcher's children too, should it have hung
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, errors


def test_two_processes_take_the_steps_of_one(tmp_path):
    for name, processes in (("one", 1), ("two", 2)):
        run(tmp_path / name, processes)
    one = json.loads((tmp_path / "one" / "rank0.json").read_text())
    ranks = [json.loads((tmp_path / "two" / f"rank{rank}.json").read_text()) for rank in (0, 1)]
    for step in range(len(one["seen"]) // 4):
        whole = one["seen"][4 * step : 4 * step + 4]
        parts = [row for rank in ranks for row in rank["seen"][2 * step : 2 * step + 2]]
        assert parts == whole
    weights = [torch.load(tmp_path / name / "weights.pt") for name in ("one", "two")]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name.removeprefix("module.")], value, atol=1e-5, rtol=1e-4)
    losses = [[line["loss"] for line in log if "loss" in line] for log in (one["log"], ranks[0]["log"])]
    assert losses[0] == pytest.approx(losses[1], abs=2e-4)
