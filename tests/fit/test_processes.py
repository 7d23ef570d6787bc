"""Two processes train to the same weights as one."""

import os
import socket
import subprocess
import sys

import torch

SCRIPT = """
import sys, torch, torch.distributed
from torch import nn
from genrec.fit.config import FitConfig
from genrec.fit.loop import fit

class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 1))
    def loss(self, batch):
        error = batch["x"] @ self.weight - 1.0
        real = batch["real"]
        return {"loss": (error[:, 0].square() * real).sum() / real.sum(), "weight": real.sum()}

def collate(rows):
    x = torch.tensor([[float(row), 1.0] for row in rows])
    return {"x": x / 10, "real": torch.tensor([float(row % 3 + 1) for row in rows])}

model = Mean()
config = FitConfig(epochs=3, batch_size=4, learning_rate=0.1, monitor="score")
result = fit(model, list(range(13)), collate, lambda: {"score": -float(model.weight.norm())}, config)
rank = int(__import__("os").environ.get("RANK", 0))
if rank == 0:
    losses = [entry["loss"] for entry in result.history]
    torch.save({"weight": model.weight.detach(), "loss": losses}, sys.argv[1])
if torch.distributed.is_initialized():
    torch.distributed.destroy_process_group()
"""


def start(script, folder, world):
    """Start the script as `world` processes that talk over gloo."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in range(world):
        environment = {
            **os.environ,
            "ACCELERATE_USE_CPU": "true",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "WORLD_SIZE": str(world),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
        }
        command = [sys.executable, str(script), str(folder / f"{world}.pt")]
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        )
    return processes


def test_two_processes_equal_one_even_when_one_has_no_example_left(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    # the last batch of 13 examples in fours holds one example: the second process gets none
    started = start(script, tmp_path, 1) + start(script, tmp_path, 2)
    for process in started:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors[-2000:]
    results = [torch.load(tmp_path / f"{world}.pt") for world in (1, 2)]
    torch.testing.assert_close(results[0]["weight"], results[1]["weight"], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(results[0]["loss"], results[1]["loss"], atol=1e-6, rtol=1e-5)
