"""FlexCode trained along with a decoder: the loss by hand, what a token may see, gradients, a training that runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from genrec.metrics.report.panels import alpha_chart, budget_chart
from genrec.sid.flexcode.config import FlexCodeConfig
from genrec.sid.flexcode.joint import JointFlexCode, NextTokenDecoder, token_loss
from genrec.sid.flexcode.learner import ItemSignals, learn_flexcode
from genrec.sid.flexcode.model import FlexCode, ItemTables
from genrec.sid.flexcode.neighbours import nearest_texts
from genrec.sid.flexcode.usage import item_usage
from genrec.sid.learners import SidConfig

N, WIDTH = 24, 6
TRAIN = [np.array([(start + step) % N for step in range(6)]) for start in range(0, N, 2)]
OPTIONS: dict[str, Any] = {"latent": 4, "hidden": 8, "epochs": 2, "batch_size": 12, "joint_width": 8, "joint_batch": 4}


def tables() -> ItemTables:
    rng, usage = np.random.default_rng(0), item_usage(TRAIN, N)
    vectors = rng.normal(size=(2, N, WIDTH)).astype(np.float32)
    return ItemTables(
        torch.from_numpy(vectors[0]), torch.from_numpy(vectors[1]), torch.from_numpy(usage.features()),
        torch.from_numpy(usage.reliability()), torch.from_numpy(usage.strata()), torch.from_numpy(usage.counts > 0),
        *map(torch.from_numpy, nearest_texts(vectors[1])),
    )  # fmt: skip


def test_token_loss_by_hand() -> None:
    # two codes with even chances cost log 2 each; mask 1 and 1/2: 1.5 log 2 for the item, over two positions
    codes = torch.tensor([[0, 1]])
    found = token_loss(torch.zeros(1, 2, 2), codes, torch.tensor([[1.0, 0.5]]))
    assert found.item() == pytest.approx(0.75 * math.log(2))
    # the second token is certain and costs 0; more of it makes the item no cheaper
    logits = torch.tensor([[[0.0, 0.0], [-100.0, 100.0]]])
    found = token_loss(logits, codes, torch.tensor([[1.0, 0.5]]))
    assert found.item() == pytest.approx(math.log(2) / 2)
    assert token_loss(logits, codes, torch.tensor([[1.0, 1.0]])).item() == pytest.approx(math.log(2) / 2)
    # a token that is masked out costs nothing
    assert token_loss(logits, codes, torch.tensor([[0.0, 1.0]])).item() == pytest.approx(0.0, abs=1e-6)


def test_a_token_sees_only_the_tokens_before_it() -> None:
    decoder = NextTokenDecoder(latent=3, positions=2, size=5, width=4)
    states, masks = torch.randn(1, 4), torch.ones(1, 2, 2)
    chosen = torch.randn(1, 2, 2, 3)
    before = decoder.logits(states, chosen, masks)
    changed = chosen.clone()
    changed[:, 1, 0] += 1.0  # the first semantic token: only the second semantic one may notice
    after = decoder.logits(states, changed, masks)
    torch.testing.assert_close(after[:, :3], before[:, :3])
    assert not torch.allclose(after[:, 3], before[:, 3])


def test_a_masked_codeword_is_not_seen() -> None:
    decoder = NextTokenDecoder(3, 2, 5, 4)
    states, masks = torch.randn(1, 4), torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])
    first, second = torch.randn(2, 1, 2, 2, 3)
    second[:, 1] = first[:, 1]
    torch.testing.assert_close(decoder.logits(states, first, masks), decoder.logits(states, second, masks))


def test_the_loss_reaches_router_encoders_and_decoder() -> None:
    torch.manual_seed(0)
    model = JointFlexCode(FlexCode(tables(), 4, 4, FlexCodeConfig(**OPTIONS, joint=1.0)))
    windows = torch.tensor([[0, 1, 2, 3], [5, 6, -1, -1], [9, -1, -1, -1]])
    items, place = torch.unique(windows[windows >= 0], return_inverse=True)
    _, passes, masks = model.codes.losses(items)
    loss = model.next_token(windows, place, passes, masks)
    loss.backward()
    assert torch.isfinite(loss)
    for part in (model.codes.router.layers[0], model.codes.semantic.encoder[0], model.decoder.reader):
        grads = [p.grad for p in part.parameters()]
        assert all(g is not None and torch.isfinite(g).all() for g in grads)
        assert any(bool((g != 0).any()) for g in grads if g is not None)


def test_without_weight_the_joint_loss_is_flexcodes() -> None:
    model = JointFlexCode(FlexCode(tables(), 4, 4, FlexCodeConfig(**OPTIONS, joint=0.0))).eval()
    windows = torch.tensor([[3, 1, 2]])
    torch.testing.assert_close(model.loss(windows), model.codes.loss(torch.tensor([1, 2, 3])))


def learnt(train: Any = TRAIN, **options: Any) -> Any:
    vectors = np.random.default_rng(1).normal(size=(N, 2 * WIDTH)).astype(np.float32)
    settings = SidConfig(method="flexcode", num_levels=4, codebook_size=8, options={**OPTIONS, **options})
    return learn_flexcode(vectors, settings, ItemSignals(WIDTH, item_usage(TRAIN, N), train))


def test_joint_training_gives_unique_codes_and_says_how_it_went() -> None:
    made = learnt(joint=0.5)
    assert made.item_codes.num_items == N
    assert made.health["training"]["joint"] == 0.5
    assert made.health["training"]["next_token"] > 0
    assert learnt(joint=0.5).item_codes.hash == made.item_codes.hash  # the same file again


def test_joint_training_needs_histories() -> None:
    with pytest.raises(ValueError, match="training histories"):
        learnt(train=None, joint=0.5)


@pytest.mark.parametrize(("changes", "match"), [({"joint": -1.0}, "negative"), ({"joint_width": 0}, "at least 1")])
def test_settings_out_of_range_are_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        FlexCodeConfig(**changes)


def test_alpha_and_budget_are_drawn() -> None:
    groups = [
        {"mean_count": float(n), "alpha": n / 10, "collaborative_tokens": n / 3, "semantic_tokens": 4 - n / 3}
        for n in (1, 4, 9)
    ]
    (chart,) = alpha_chart({"rank_correlation": 0.87, "groups": groups})
    assert "0.87" in chart.caption
    assert alpha_chart({}) == []
    points = [{"budget": b, "value": 0.01 * b, "label": "FlexCode"} for b in (3, 4, 4)]
    drawn = budget_chart(points)
    assert drawn is not None
    assert "NDCG@10 against the budget" in drawn.title
    assert budget_chart(points[:1]) is None
