"""Dropout acts in training only, on embeddings and block outputs, and leaves weights alone."""

import pytest
import torch

from genrec.llm.backbones import TinyConfig, build_tiny
from genrec.posttrain.dropout import add_dropout


@pytest.fixture
def model():
    return build_tiny(TinyConfig(16, 2, num_heads=2, num_kv_heads=1, intermediate=32), 50)


IDS = torch.arange(20)[None]


def test_embeddings_and_both_outputs_of_each_block_are_dropped(model):
    blocks = [f"model.layers.{i}.{part}" for i in range(2) for part in ("self_attn.o_proj", "mlp.down_proj")]
    assert add_dropout(model, 0.1) == ["model.embed_tokens", *blocks]


def test_evaluation_and_weights_are_unchanged(model):
    before, names = model.eval()(IDS).logits, list(model.state_dict())
    add_dropout(model, 0.5)
    assert torch.equal(model.eval()(IDS).logits, before)
    assert list(model.state_dict()) == names


def test_the_share_of_zeros_is_the_rate_and_the_rest_is_scaled(model):
    add_dropout(model, 0.25)
    embed = model.train().model.embed_tokens
    torch.manual_seed(0)
    plain, dropped = embed.weight[IDS], embed(IDS.repeat(200, 1))
    kept = dropped != 0
    assert float((~kept).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert torch.allclose(dropped[kept], (plain / 0.75).expand_as(dropped)[kept])


def test_rate_zero_adds_nothing_and_rate_one_is_refused(model):
    assert add_dropout(model, 0.0) == []
    assert not model.model.embed_tokens._forward_hooks
    with pytest.raises(ValueError, match="below 1"):
        add_dropout(model, 1.0)


def test_a_model_without_such_blocks_is_refused():
    with pytest.raises(ValueError, match="set dropout to 0"):
        add_dropout(torch.nn.Linear(2, 2), 0.1)
