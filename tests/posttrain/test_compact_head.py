"""The compact head gives TRL's numbers and gradients, and leaves everything else to TRL."""

import pytest
import torch
from trl.trainer.utils import add_fused_lm_head

from genrec.llm.backbones import TinyConfig, build_tiny
from genrec.posttrain import compact_head
from genrec.posttrain.compact_head import add_compact_head

FIELDS = ("log_probs", "entropy", "is_top1")


@pytest.fixture
def pair():
    shape = TinyConfig(16, 1, num_heads=2, num_kv_heads=1, intermediate=32)
    theirs, ours = (build_tiny(shape, 50) for _ in range(2))
    for model in (theirs, ours):
        add_fused_lm_head(model, outputs=FIELDS)
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


@pytest.mark.parametrize("name", compact_head.RESCALED)
def test_a_model_that_rescales_its_logits_is_left_to_trl(pair, batch, monkeypatch, name):
    _, ours = pair
    monkeypatch.setattr(compact_head, "score_labels", lambda *_: pytest.fail("the plain head would ignore the scale"))
    setattr(ours.config, name, 2.0)
    assert torch.isfinite(ours(**batch, fused_lm_head=True).loss)
