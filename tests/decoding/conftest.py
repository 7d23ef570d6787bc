"""A tiny language model with spread-out probabilities, and a small catalogue of token codes."""

import numpy as np
import pytest
import torch

from genrec.decoding.trie import Trie
from genrec.llm.backbones import TinyConfig, build_tiny

VOCABULARY = 60


@pytest.fixture(scope="session")
def model():
    """Random two-layer Qwen3; weights are enlarged so that rankings are far from ties."""
    shape = TinyConfig(32, 2, num_heads=2, num_kv_heads=1, intermediate=64, max_positions=128)
    net = build_tiny(shape, VOCABULARY).eval()
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(3)
    return net


@pytest.fixture(scope="session")
def codes():
    """(num_items, 3) token ids 20..27, some codes one token shorter, prefix-free."""
    random = np.random.default_rng(1)
    full = np.unique(random.integers(20, 28, size=(90, 3)), axis=0)
    full[full[:, 1] == 23, 2] = -1
    return random.permutation(np.unique(full, axis=0))


@pytest.fixture(scope="session")
def trie(codes):
    """Trie of the catalogue."""
    return Trie.from_codes(codes)


@pytest.fixture(scope="session")
def prompts():
    """Four left-padded prompts of lengths 9, 6, 4 and 1: input_ids and attention_mask (4, 9)."""
    torch.manual_seed(3)
    ids = torch.randint(0, 20, (4, 9))
    mask = torch.ones_like(ids)
    for row, padding in enumerate([0, 3, 5, 8]):
        mask[row, :padding] = 0
    return ids, mask


@pytest.fixture(scope="session")
def exhaustive(model, codes, prompts):
    """Score (4, num_items) of every item by feeding each whole code, one unpadded sequence at a time."""
    ids, mask = prompts
    scores = np.zeros((len(ids), len(codes)))
    for row in range(len(ids)):
        prompt = ids[row][mask[row] == 1]
        for item, code in enumerate(codes):
            tokens = torch.from_numpy(code[code >= 0])
            with torch.no_grad():
                log_probs = model(torch.cat([prompt, tokens])[None]).logits[0].log_softmax(-1)
            at = torch.arange(len(tokens)) + len(prompt) - 1
            scores[row, item] = log_probs[at, tokens].sum()
    return scores
