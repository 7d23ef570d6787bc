"""GRASP and CoRec train to the same weights on two processes as on one."""

import os
import socket
import subprocess
import sys

import torch

SCRIPT = """
import os, sys
sys.path[:0] = sys.argv[2:]
import numpy as np, torch, torch.distributed
from corec_toys import backbone, histories
from genrec.fit.config import FitConfig
from genrec.fit.loop import fit
from llmrec.corec.config import CoRecConfig
from llmrec.corec.interests import Interests
from llmrec.corec.model import CoRec
from llmrec.grasp.features import TextFeatures
from llmrec.grasp.model import Grasp

def features():
    torch.manual_seed(0)
    sizes = {"items": 20, "similar_items": 20, "users": 9, "similar_users": 9}
    tables = {name: torch.randn(size, 6) for name, size in sizes.items()}
    cosines = {"item_cosines": torch.zeros(20, 1), "user_cosines": torch.zeros(9, 1)}
    return TextFeatures({**tables, **cosines}, torch.zeros(9, 2, dtype=torch.int64))

models = {
    "corec": CoRec(backbone(), Interests(np.repeat([0, 1], 10), 2), CoRecConfig(latent=4), 0),
    "grasp": Grasp(backbone(), features(), user_dropout=0.0, branch_dropout=0.0, seed=0),
}
found = {}
for name, model in models.items():
    windows = model.windows(histories(9))
    # 9 sequences in fours: the last batch holds one, so the second process has none of its own
    config = FitConfig(epochs=2, batch_size=4, learning_rate=0.01, monitor="score", patience=0)
    result = fit(model, windows, model.collator(), lambda: {"score": 0.0}, config)
    found[name] = {key: value.clone() for key, value in model.state_dict().items()}
    found[name + "_loss"] = [entry["loss"] for entry in result.history]
if int(os.environ["RANK"]) == 0:
    torch.save(found, sys.argv[1])
if torch.distributed.is_initialized():
    torch.distributed.destroy_process_group()
"""


def start(script, folder, world):
    """Start the script as `world` processes that talk over gloo."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    toys = os.path.dirname(__file__)
    paths = [toys, *(path for path in sys.path if path)]
    shared = {
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",
        "WORLD_SIZE": str(world),
    }
    processes = []
    for rank in range(world):
        own = {"MASTER_PORT": str(port), "RANK": str(rank), "LOCAL_RANK": str(rank)}
        command = [sys.executable, str(script), str(folder / f"{world}.pt"), *paths]
        environment = {**os.environ, **shared, **own}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(command, env=environment, **quiet))
    return processes


def test_two_processes_equal_one_even_when_one_has_no_sequence_left(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    for process in start(script, tmp_path, 1) + start(script, tmp_path, 2):
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors[-2000:]
    one, two = (torch.load(tmp_path / f"{world}.pt") for world in (1, 2))
    for name in ("corec", "grasp"):
        torch.testing.assert_close(one[f"{name}_loss"], two[f"{name}_loss"], atol=1e-5, rtol=1e-4)
        for key, value in one[name].items():
            torch.testing.assert_close(
                value, two[name][key], atol=1e-4, rtol=1e-3, msg=lambda text, k=key: f"{k}: {text}"
            )
