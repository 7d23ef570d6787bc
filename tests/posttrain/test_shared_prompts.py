"""Completions scored behind one pass over their prompt have the figures and gradients of separate passes."""

from typing import Any

import pytest
import torch
from trl.trainer.utils import add_fused_lm_head

from genrec.llm.backbones import TinyConfig, build_tiny
from genrec.posttrain.compact_head import add_compact_head
from genrec.posttrain.shared_prompts import add_shared_prompts

FIELDS = ("log_probs", "entropy", "is_top1")
PROMPT, COMPLETION = 5, 4


@pytest.fixture
def pair() -> tuple[Any, Any]:
    shape = TinyConfig(16, 2, num_heads=2, num_kv_heads=1, intermediate=32)
    theirs, ours = (build_tiny(shape, 50) for _ in range(2))
    for model in (theirs, ours):
        add_fused_lm_head(model, outputs=FIELDS)
    add_compact_head(ours)
    add_shared_prompts(ours)
    return theirs, ours


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    """Rows of two prompts in mixed order; the second prompt is two tokens shorter, completions differ in length."""
    draw = torch.Generator().manual_seed(1)
    prompts, order = torch.randint(3, 50, (2, PROMPT), generator=draw), torch.tensor([0, 1, 0, 1, 1])
    prompts[1, :2] = 0
    ids = torch.cat([prompts[order], torch.randint(3, 50, (5, COMPLETION), generator=draw)], dim=1)
    mask = (ids != 0).long()
    mask[3, -2:] = 0
    labels = ids.masked_fill(mask == 0, -100)
    labels[:, :PROMPT] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def watched(model: Any) -> list[tuple[int, ...]]:
    """Shapes of what the layers of a model read, filled as it runs."""
    shapes: list[tuple[int, ...]] = []
    model.model.layers[0].register_forward_hook(lambda _m, args, _o: shapes.append(tuple(args[0].shape[:2])))
    return shapes


def test_figures_and_gradients_equal_those_of_separate_passes(pair: Any, batch: Any) -> None:
    shapes = watched(pair[1])
    found = [model(**batch, fused_lm_head=True) for model in pair]
    for name in FIELDS:
        torch.testing.assert_close(getattr(found[1], name), getattr(found[0], name), atol=1e-5, rtol=1e-4)
    assert shapes == [(2, PROMPT), (5, COMPLETION)]  # each prompt once
    for output in found:
        (output.log_probs * torch.linspace(-1, 1, output.log_probs.shape[1])).sum().backward()
    for (name, a), (_, b) in zip(pair[0].named_parameters(), pair[1].named_parameters(), strict=True):
        assert a.grad is not None
        torch.testing.assert_close(b.grad, a.grad, atol=1e-5, rtol=1e-3, msg=name)


def test_prompts_that_all_differ_and_calls_of_other_kinds_run_as_they_are(pair: Any, batch: Any) -> None:
    ours, shapes = pair[1], watched(pair[1])
    some = {name: tensor[:2] for name, tensor in batch.items()}
    ours(**some, fused_lm_head=True)
    assert shapes == [(2, PROMPT + COMPLETION)]
    plain = {name: batch[name] for name in ("input_ids", "attention_mask")}
    assert torch.equal(ours(**plain).logits, pair[0](**plain).logits)
    assert shapes[1:] == [(5, PROMPT + COMPLETION)]


def test_inputs_that_belong_to_rows_keep_their_rows_together(pair: Any, batch: Any) -> None:
    ours, shapes = pair[1], watched(pair[1])
    positions = torch.arange(PROMPT + COMPLETION).expand(5, -1)
    ours(**batch, position_ids=positions, fused_lm_head=True)
    assert shapes == [(5, PROMPT + COMPLETION)]


def test_gradient_checkpointing_keeps_its_own_way(pair: Any, batch: Any) -> None:
    ours = pair[1].train()
    ours.gradient_checkpointing_enable()
    shapes = watched(ours)
    found, asked = (model(**batch, fused_lm_head=True).log_probs for model in (ours, pair[0]))
    torch.testing.assert_close(found, asked, atol=1e-5, rtol=1e-4)
    assert shapes[0] == (5, PROMPT + COMPLETION)


def test_a_sliding_window_is_not_shared(batch: Any) -> None:
    shape = TinyConfig(16, 2, num_heads=2, num_kv_heads=1, intermediate=32)
    models = [build_tiny(shape, 50) for _ in range(2)]
    for model in models:
        model.config.use_sliding_window, model.config.sliding_window = True, 3
        model.config.layer_types = ["sliding_attention"] * 2
        model.model.has_sliding_layers = True
        add_fused_lm_head(model, outputs=FIELDS)
    add_shared_prompts(models[1])
    found = [model(**batch, fused_lm_head=True).log_probs for model in models]
    torch.testing.assert_close(found[1], found[0], atol=1e-5, rtol=1e-4)
