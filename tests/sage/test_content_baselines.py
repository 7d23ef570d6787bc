"""Content baselines: items that nobody chose are placed by their texts; events are cut before the split."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genrec.backbones.sasrec import SASRecConfig
from genrec.data import load_dataset
from genrec.data.split import leave_one_out
from sage.baselines.content import ContentNeighbours, ContentSASRec
from sage.stages.data import drawn_users, latest_events, without_reviews

TEXTS = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]], dtype=np.float32)


def test_neighbours_by_hand() -> None:
    # history 0 then 2 with decay 0.5: 0.5 (1, 0) + (0, 1) = (0.5, 1), nearest to item 3
    model = ContentNeighbours(TEXTS, decay=0.5)
    scores = model.score_histories([np.array([0, 2]), np.array([], dtype=np.int64)])
    assert scores[0].argmax().item() == 3
    assert scores[0, 2].item() == pytest.approx(1 / 1.25**0.5)
    assert scores[1].tolist() == [0.0] * 4
    with pytest.raises(ValueError, match="decay"):
        ContentNeighbours(TEXTS, decay=0.0)


def test_equal_texts_score_alike_whoever_chose_them() -> None:
    texts = np.concatenate([TEXTS, TEXTS[:1]])
    model = ContentSASRec(texts, SASRecConfig(width=8, max_history=5, num_heads=2)).eval()
    scores = model.score_histories([np.array([2, 3])])
    torch.testing.assert_close(scores[0, 0], scores[0, 4])  # item 4 may be new
    model.train()
    windows = model.windows([np.array([0, 1, 2, 3])])
    model.loss(model.collator()(windows))["loss"].backward()
    assert all(torch.isfinite(p.grad).all() for p in model.project.parameters() if p.grad is not None)
    assert model.items.weight.grad is None


def test_withheld_items_are_no_negatives_of_training() -> None:
    known = np.array([True, False, True, True])
    losses = []
    for there in ([0.9, 0.1], [-1.0, 0.3]):
        texts = TEXTS.copy()
        texts[1] = there  # nobody may notice what the withheld item is about
        model = ContentSASRec(texts, SASRecConfig(width=8, max_history=5, num_heads=2, dropout=0.0), known=known).eval()
        batch = model.collator()([np.array([0, 2, 3, 0])])
        losses.append(model.loss(batch)["loss"])
    torch.testing.assert_close(losses[0], losses[1])
    inputs, targets = model.questions(batch)
    logits = (model(inputs) @ model.item_table().T)[..., [0, 2, 3]]
    rows = torch.tensor([{0: 0, 2: 1, 3: 2}[int(t)] for t in targets.flatten()])
    torch.testing.assert_close(losses[1], torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows))
    assert model.score_histories([np.array([0, 2])]).shape == (1, 4)
    with pytest.raises(ValueError, match="not known"):
        model.loss(model.collator()([np.array([0, 1])]))
    with pytest.raises(ValueError, match="for 4 items"):
        ContentSASRec(TEXTS, known=known[:3])


def test_the_latest_events_are_kept() -> None:
    dataset = load_dataset("toy")
    short = latest_events(dataset, 4)
    assert all(len(history) <= 4 for history in short.histories)
    assert short.histories[0].tolist() == dataset.histories[0][-4:].tolist()
    assert len(leave_one_out(short.histories).test) == dataset.num_users
    with pytest.raises(ValueError, match="at least 3"):
        latest_events(dataset, 2)


def test_drawn_users_keep_their_histories_over_a_smaller_catalogue() -> None:
    dataset = load_dataset("toy")
    small, again, other = (drawn_users(dataset, 7, seed) for seed in (1, 1, 2))
    assert small.user_ids == again.user_ids != other.user_ids
    assert len(small.user_ids) == 7
    ids, titles = np.array(dataset.catalogue.item_ids), np.array(dataset.catalogue.titles)
    for user, history in zip(small.user_ids, small.histories, strict=True):
        before = dataset.histories[dataset.user_ids.index(user)]
        assert np.array(small.catalogue.item_ids)[history].tolist() == ids[before].tolist()
        assert np.array(small.catalogue.titles)[history].tolist() == titles[before].tolist()
    assert set(np.concatenate(small.histories).tolist()) == set(range(small.num_items))
    assert small.counts[-1] == {
        "step": "7 users drawn", "users": 7, "items": small.num_items, "interactions": small.num_interactions
    }  # fmt: skip
    assert drawn_users(dataset, -1, 0) is dataset
    with pytest.raises(ValueError, match="num_users must be -1 or 1"):
        drawn_users(dataset, dataset.num_users + 1, 0)


def test_reviews_stay_out_of_item_texts() -> None:
    dataset = load_dataset("toy")
    dataset.catalogue = dataset.catalogue.with_reviews({dataset.catalogue.item_ids[0]: ["a buyer's secret"]})
    assert "secret" in dataset.catalogue.text(0)
    assert "secret" not in without_reviews(dataset).catalogue.text(0)
