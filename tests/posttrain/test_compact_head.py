"""The compact head gives TRL's numbers and gradients, and leaves everything else to TRL."""

import copy

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM
from trl.trainer.utils import add_fused_lm_head

from genrec.posttrain import compact_head
from genrec.posttrain.compact_head import add_compact_head

FIELDS = ("log_probs", "entropy", "is_top1")


@pytest.fixture
def pair():
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, tie_word_embeddings=True,
    )  # fmt: skip
    theirs = Qwen3ForCausalLM(config)
    add_fused_lm_head(theirs, outputs=FIELDS)
    ours = copy.deepcopy(Qwen3ForCausalLM(config))
    ours.load_state_dict(theirs.state_dict())
    add_fused_lm_head(ours, outputs=FIELDS)
    add_compact_head(ours)
    return theirs, ours


@pytest.fixture
def batch():
    ids = torch.randint(0, 50, (3, 9), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[:, :4] = -100
    labels[2, 6:] = -100
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


def test_fields_equal_those_of_trl(pair, batch):
    theirs, ours = (model(**batch, fused_lm_head=True) for model in pair)
    for name in FIELDS:
        assert torch.allclose(getattr(theirs, name).float(), getattr(ours, name).float(), atol=1e-5), name
    assert torch.equal(theirs.label_mask, ours.label_mask)
    assert ours.loss.item() == pytest.approx(theirs.loss.item(), abs=1e-6)


def test_gradients_equal_those_of_trl(pair, batch):
    for model in pair:
        model(**batch, fused_lm_head=True).log_probs.sum().backward()
    for (name, a), (_, b) in zip(pair[0].named_parameters(), pair[1].named_parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-5), name


def test_a_batch_without_targets_or_too_large_is_left_to_trl(pair, batch, monkeypatch):
    monkeypatch.setattr(compact_head, "score_labels", lambda *_: pytest.fail("the compact head was used"))
    nothing = {**batch, "labels": torch.full_like(batch["labels"], -100)}
    assert float(pair[1](**nothing, fused_lm_head=True).log_probs.detach().sum()) == 0.0
    monkeypatch.setattr(compact_head, "MOST_LOGITS", 10)
    assert pair[1](**batch, fused_lm_head=True).log_probs.shape == (3, 8)


def test_the_ordinary_forward_is_unchanged(pair, batch):
    assert torch.equal(pair[0](batch["input_ids"]).logits, pair[1](batch["input_ids"]).logits)
