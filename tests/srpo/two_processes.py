"""Replayed rollouts through the trainer on any number of processes; run by torchrun, and in the test itself.

torchrun --standalone --nproc_per_node 2 tests/srpo/two_processes.py <model folder> <output folder>
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from srpo_toys import Replay, arguments, make_trainer, rows

from genrec.run.processes import leave_processes

GROUPS = 4  # groups per generation over all processes


def run(model: Path, output: Path, *, dead: bool, world_size: int) -> dict[str, Any]:
    """Two steps on replayed rollouts; with `dead` every second user has no reward variance."""
    args = arguments(
        output,
        per_device_train_batch_size=4 * GROUPS // world_size,
        dynamic_sampling=dead,
        max_resample=20,
        bonus_k=2,
        shuffle_dataset=True,
    )
    trainer = make_trainer(model, args, rows(), rollout_func=Replay(dead))
    trainer.train()
    return {
        "world_size": trainer.accelerator.num_processes,
        "prompts": trainer.prompts,
        "advantages": [batch["advantages"].tolist() for batch in trainer.batches],
        "masked": [bool("tool_mask" in batch and (batch["tool_mask"] == 0).any()) for batch in trainer.batches],
        "tokens": [float(batch["num_items_in_batch"]) for batch in trainer.batches],
        "log": trainer.state.log_history,
    }


def main(model: Path, output: Path) -> None:
    """Write what this process saw, for both experiments."""
    rank, world_size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    seen = {
        name: run(model, output / name, dead=dead, world_size=world_size)
        for name, dead in (("replay", False), ("dead", True))
    }
    (output / f"seen_{world_size}_{rank}.json").write_text(json.dumps(seen))
    leave_processes(world_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
