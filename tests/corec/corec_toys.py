"""A tiny shop with two departments, shared by the tests of CoRec."""

import numpy as np

from genrec.backbones.bert4rec import BERT4Rec, BERT4RecConfig
from genrec.backbones.gru4rec import GRU4Rec, GRU4RecConfig
from genrec.backbones.sasrec import SASRec, SASRecConfig

NUM_ITEMS = 20
KINDS = {"sasrec": (SASRec, SASRecConfig), "gru4rec": (GRU4Rec, GRU4RecConfig), "bert4rec": (BERT4Rec, BERT4RecConfig)}


def backbone(kind="sasrec", **options):
    model, config = KINDS[kind]
    shape = {"width": 16, "dropout": 0.0, "max_history": 10, "num_layers": 1, **options}
    return model(NUM_ITEMS, config(**shape), seed=3)


def histories(count=40, seed=0):
    """Each user walks along a ring inside items 0..9 or inside 10..19."""
    random, found = np.random.default_rng(seed), []
    for user in range(count):
        start, length = int(random.integers(10)), int(random.integers(5, 10))
        found.append((start + np.arange(length)) % 10 + 10 * (user % 2))
    return found
