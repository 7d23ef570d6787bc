"""The peer's side of sasrec_epoch.py; runs inside RecBole's own environment and prints one JSON object.

Arguments: folder of Beauty/Beauty.inter, threads, "epoch" or "quality".
"""

from __future__ import annotations

import functools
import json
import sys
import time

import torch

SETTINGS = {
    "dataset": "Beauty",
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    "USER_ID_FIELD": "user_id",
    "ITEM_ID_FIELD": "item_id",
    "TIME_FIELD": "timestamp",
    "MAX_ITEM_LIST_LENGTH": 50,
    "train_neg_sample_args": None,
    "loss_type": "CE",
    "hidden_size": 64,
    "inner_size": 256,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dropout_prob": 0.5,
    "attn_dropout_prob": 0.5,
    "learning_rate": 0.001,
    "train_batch_size": 2048,
    "eval_batch_size": 2048,
    "epochs": 100,
    "stopping_step": 10,
    "eval_step": 1,
    "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"},
    "metrics": ["Recall", "NDCG"],
    "topk": [5, 10],
    "valid_metric": "NDCG@10",
    "use_gpu": False,
    "show_progress": False,
    "seed": 0,
    "state": "ERROR",
}


def main() -> None:
    """Time one epoch, or train to the end."""
    folder, threads, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(threads)
    torch.load = functools.partial(torch.load, weights_only=False)  # its checkpoints hold whole objects
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.sequential_recommender import SASRec
    from recbole.trainer import Trainer
    from recbole.utils import init_seed

    sys.argv = sys.argv[:1]  # RecBole reads the command line too
    config = Config(model="SASRec", config_dict={**SETTINGS, "data_path": folder, "checkpoint_dir": f"{folder}/saved"})
    init_seed(0, True)
    train, valid, test = data_preparation(config, create_dataset(config))
    model = SASRec(config, train.dataset)
    trainer = Trainer(config, model)
    started = time.perf_counter()
    if mode == "epoch":
        loss = trainer._train_epoch(train, 0, show_progress=False)
        print(json.dumps({"seconds": time.perf_counter() - started, "loss": float(loss)}))
        return
    score, _ = trainer.fit(train, valid, saved=True, show_progress=False)
    seconds = time.perf_counter() - started
    found = {name: float(value) for name, value in trainer.evaluate(test, show_progress=False).items()}
    print(json.dumps({"seconds": seconds, "valid": float(score), "test": found}))


if __name__ == "__main__":
    main()
