"""A tiny shop with descriptions, shared by the tests of GRASP."""

import numpy as np
import torch

from genrec.backbones.bert4rec import BERT4Rec, BERT4RecConfig
from genrec.backbones.gru4rec import GRU4Rec, GRU4RecConfig
from genrec.backbones.sasrec import SASRec, SASRecConfig
from llmrec.grasp.features import TextFeatures

NUM_ITEMS, NUM_USERS, TEXT = 30, 60, 8
KINDS = {"sasrec": (SASRec, SASRecConfig), "gru4rec": (GRU4Rec, GRU4RecConfig), "bert4rec": (BERT4Rec, BERT4RecConfig)}


def backbone(kind="sasrec", **options):
    model, config = KINDS[kind]
    shape = {"width": 16, "dropout": 0.0, "max_history": 10, "num_layers": 1, **options}
    return model(NUM_ITEMS, config(**shape), seed=3)


def features(seed=0):
    random = torch.Generator().manual_seed(seed)
    sizes = {"items": NUM_ITEMS, "similar_items": NUM_ITEMS, "users": NUM_USERS, "similar_users": NUM_USERS}
    tables = {name: torch.randn(size, TEXT, generator=random) / TEXT**0.5 for name, size in sizes.items()}
    tables |= {"item_cosines": torch.rand(NUM_ITEMS, 1, generator=random), "user_cosines": torch.zeros(NUM_USERS, 1)}
    return TextFeatures(tables, (torch.arange(NUM_USERS)[:, None] + torch.arange(1, 4)) % NUM_USERS)


def histories(seed=0):
    """Users who mostly walk along a ring of the items."""
    random, found = np.random.default_rng(seed), []
    for _ in range(NUM_USERS):
        items = [int(random.integers(NUM_ITEMS))]
        for _ in range(int(random.integers(5, 12))):
            items.append((items[-1] + 1) % NUM_ITEMS if random.random() < 0.9 else int(random.integers(NUM_ITEMS)))
        found.append(np.array(items, dtype=np.int64))
    return found
