"""Run by test_sage_sft.py on two processes: both must end with the same weights, lists included."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch
from test_sage_sft import trained, weights

from genrec.run.processes import leave_processes
from sage.sft.trainer import ListDiversity

if __name__ == "__main__":
    finished = trained(sys.argv[1], ListDiversity(1.0, every=1, size=4), per_device_train_batch_size=2)
    torch.save(weights(finished), Path(sys.argv[1]) / f"rank{os.environ['RANK']}.pt")
    leave_processes(finished.accelerator.num_processes)
