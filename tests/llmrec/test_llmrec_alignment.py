"""InfoNCE with masks and hard negatives, heads, LightGCN: numbers by hand, limits, one training that learns."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from genrec.data import load_dataset
from genrec.data.split import leave_one_out
from genrec.fit.alone import AloneAccelerator
from genrec.fit.config import FitConfig
from llmrec.generative.alignment.heads import AlignmentHeads, HeadsConfig, left_padded
from llmrec.generative.alignment.lightgcn import LightGCN, bpr, normalised_graph
from llmrec.generative.alignment.losses import false_negative_mask, symmetric_info_nce
from llmrec.generative.alignment.train import Events, nearest_items, negative_pool, popular_items, train_heads

EYE = torch.eye(2)


def test_info_nce_by_hand() -> None:
    # cosines 1 on the diagonal and 0 beside it, temperature 1: log(1 + e^-1) both ways
    assert symmetric_info_nce(EYE, EYE, 1.0).item() == pytest.approx(math.log(1 + math.exp(-1)))


def test_a_hard_negative_joins_the_users_side_only() -> None:
    hard = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]])  # cosine 1 with user 0, 0 with user 1
    # user 0: log((2e + 1) / e), user 1: log((e + 2) / e); item -> user as before
    forward = 0.5 * (math.log(2 + math.exp(-1)) + math.log(1 + 2 * math.exp(-1)))
    expected = 0.5 * (forward + math.log(1 + math.exp(-1)))
    assert symmetric_info_nce(EYE, EYE, 1.0, hard=hard).item() == pytest.approx(expected)
    off = symmetric_info_nce(EYE, EYE, 1.0, hard=hard, hard_mask=torch.zeros(2, 1, dtype=torch.bool))
    assert off.item() == pytest.approx(math.log(1 + math.exp(-1)))


def test_a_masked_item_is_no_negative() -> None:
    mask = torch.tensor([[True, True], [False, True]])
    # user 0 and item 1 lose their only negative (0 nats), user 1 and item 0 keep theirs
    expected = 0.5 * math.log(1 + math.exp(-1))
    assert symmetric_info_nce(EYE, EYE, 1.0, mask).item() == pytest.approx(expected)


def test_false_negatives_by_hand() -> None:
    found = false_negative_mask(torch.tensor([5, 7, 5]), torch.tensor([[5, 7], [7, -1], [5, -1]]))
    assert found.tolist() == [[True, True, True], [False, True, False], [True, False, True]]


def test_users_are_made_of_their_history_alone() -> None:
    heads = AlignmentHeads(np.eye(4, dtype=np.float32), HeadsConfig(width=3, hidden=5)).eval()
    vectors = heads.encode([np.array([0, 1]), np.array([3]), np.array([], dtype=np.int64)])
    assert vectors[:2].norm(dim=1).tolist() == pytest.approx([1.0, 1.0])
    assert vectors[2].tolist() == [0.0, 0.0, 0.0]
    alone = heads.encode([np.array([3])])
    torch.testing.assert_close(alone[0], vectors[1])  # padding of the batch changes nothing
    assert left_padded([np.array([4]), np.array([1, 2])]).tolist() == [[-1, 4], [1, 2]]


def test_a_new_item_is_placed_by_its_text_until_it_is_learnt() -> None:
    texts = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    heads = AlignmentHeads(texts, HeadsConfig(width=4, hidden=8)).eval()
    np.testing.assert_allclose(heads.item_vectors(), heads.place_texts(texts), atol=1e-6)
    assert heads.place_texts(np.zeros((1, 6), dtype=np.float32)).tolist() == [[0.0] * 4]


def test_hard_negatives_are_near_and_never_chosen() -> None:
    texts = np.array([[1, 0], [0.9, 0.1], [0.8, 0.2], [0, 1]], dtype=np.float32)
    near = nearest_items(texts, 2)
    assert near[0].tolist() == [1, 2]
    events = Events([np.array([3, 0, 1])], near, num_hard=2)
    batch = events.collate(events.events)
    assert batch["targets"].tolist() == [0, 1]
    assert set(batch["hard"].flatten().tolist()) <= {2, -1}  # 0, 1 and 3 were chosen


def test_popular_items_are_drawn_from_training_and_never_are_the_item_itself() -> None:
    pool = popular_items([np.array([0, 1, 1]), np.array([1])], 4, 50, 0)
    assert pool.shape == (4, 50)
    assert set(pool.flatten().tolist()) == {-1, 0, 1}  # 2 and 3 were never chosen
    assert 0 not in pool[0]
    assert (pool[2] == 1).mean() > 0.5  # three of four events


def test_the_same_seed_gives_the_same_heads() -> None:
    made = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        made.append(AlignmentHeads(EYE.numpy(), HeadsConfig(features="id"), seed=3))
    for one, other in zip(*(heads.parameters() for heads in made), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_heads_of_ids_alone_never_learn_from_texts() -> None:
    split, rng = toy_split(), np.random.default_rng(0)
    pools = [
        negative_pool(AlignmentHeads(rng.normal(size=(16, 8)), HeadsConfig(features=features)), split, 8, 0)
        for features in ("id", "id", "text", "text")
    ]
    np.testing.assert_array_equal(pools[0], pools[1])
    assert (pools[2] != pools[3]).any()


def toy_split():
    rng = np.random.default_rng(0)
    histories = []
    for user in range(60):
        start = int(rng.integers(0, 8))
        histories.append(np.array([(start + (user % 2) * 8 + step) % 16 for step in range(6)]))
    return leave_one_out(histories)


def test_training_finds_what_follows(tmp_path: Path) -> None:
    split, texts = toy_split(), np.random.default_rng(1).normal(size=(16, 12)).astype(np.float32)
    heads = AlignmentHeads(texts, HeadsConfig(width=16, hidden=32, dropout=0.0))
    config = FitConfig(epochs=20, batch_size=64, learning_rate=2e-2, patience=0, eval_every=10)
    result = train_heads(heads, split, config, accelerator=AloneAccelerator())
    assert result.best["NDCG@10"] > 0.5  # chance is about 0.28
    heads.save(tmp_path)
    again = AlignmentHeads.load(tmp_path)
    np.testing.assert_array_equal(again.item_vectors(), heads.item_vectors())
    with pytest.raises(ValueError, match=r"heads\.json"):
        AlignmentHeads.load(tmp_path / "nothing")


@pytest.mark.parametrize("features", ["text", "id", "both"])
def test_every_kind_of_features_has_finite_gradients(features: str) -> None:
    split = toy_split()
    heads = AlignmentHeads(np.eye(16, dtype=np.float32), HeadsConfig(features=features, width=8, hidden=8))
    events = Events(split.train, nearest_items(np.eye(16, dtype=np.float32), 4))
    heads.loss(events.collate(events.events[:12]))["loss"].backward()
    grads = [p.grad for p in heads.parameters() if p.grad is not None]
    assert grads
    assert all(torch.isfinite(g).all() for g in grads)


def test_bpr_by_hand() -> None:
    assert bpr(torch.tensor([0.0, math.log(3)])).item() == pytest.approx(0.5 * (math.log(2) + math.log(4 / 3)))


def test_the_graph_is_normalised_by_both_degrees() -> None:
    # user 0 has items 0 and 1, user 1 item 1: weight 1 / sqrt(2 * 1) and 1 / sqrt(2 * 2), 1 / sqrt(1 * 2)
    dense = normalised_graph(np.array([[0, 0], [0, 1], [1, 1]]), 2, 2).to_dense()
    assert dense[0].tolist() == pytest.approx([0, 0, 2**-0.5, 0.5])
    assert dense[1].tolist() == pytest.approx([0, 0, 0, 2**-0.5])
    torch.testing.assert_close(dense, dense.T)


def test_lightgcn_scores_users_it_knows_and_others_by_their_history() -> None:
    graph = LightGCN([np.array([0, 1]), np.array([2])], 4, width=6)
    graph.loss(graph.collate([0, 1, 2])).backward()
    assert torch.isfinite(graph.start.weight.grad).all()
    scores = graph.score_users(np.array([0, -1]), [np.array([0, 1]), np.array([], dtype=np.int64)])
    assert scores.shape == (2, 4)
    assert scores[1].tolist() == [0.0] * 4


def test_without_alignment_the_cosines_of_texts_rank_and_nothing_is_learnt(tmp_path: Path) -> None:
    texts = np.array([[2, 0], [0, 3], [1, 1], [3, 4]], dtype=np.float32)
    AlignmentHeads(texts, HeadsConfig(aligned=False)).save(tmp_path)
    heads = AlignmentHeads.load(tmp_path)
    assert list(heads.parameters()) == []
    assert heads.width == 2
    # the mean of items 1 and 0, decayed: (1, 0.8), length sqrt(1.64)
    user = np.array([1.0, 0.8]) / 1.64**0.5
    np.testing.assert_allclose(heads.encode([np.array([1, 0])])[0], user, atol=1e-6)
    unit = np.array([[1, 0], [0, 1], [0.5**0.5, 0.5**0.5], [0.6, 0.8]])
    np.testing.assert_allclose(heads.score_histories([np.array([1, 0])])[0], unit @ user, atol=1e-6)
    np.testing.assert_allclose(heads.place_texts([[0.0, 5.0], [0.0, 0.0]]), [[0, 1], [0, 0]])


def test_the_kept_table_follows_the_weights() -> None:
    heads = AlignmentHeads(np.eye(4, dtype=np.float32), HeadsConfig(width=3, hidden=5))
    before, step = heads.item_vectors(), torch.optim.AdamW(heads.parameters(), lr=0.1)
    heads.item_table().square().sum().backward()
    step.step()
    after = heads.item_vectors()
    assert np.abs(before - after).max() > 1e-3
    assert heads.kept_table() is heads.kept_table()
    heads.load_state_dict(AlignmentHeads(np.eye(4, dtype=np.float32), heads.config).state_dict())
    np.testing.assert_array_equal(heads.item_vectors(), before)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"features": "x"}, "choose one"), ({"decay": 0.0}, "decay"),
        ({"aligned": False, "features": "id"}, "without alignment"),
    ],
)  # fmt: skip
def test_shapes_out_of_range_are_refused(changes: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        HeadsConfig(**changes)


def test_an_opened_recommender_without_alignment_ranks_as_its_ranking_row_does(tmp_path: Path) -> None:
    from genrec.run import Session
    from llmrec.generative.feedback.wishes import Wishes
    from llmrec.generative.folder import open_recommender
    from llmrec.generative.settings import AlignArguments
    from llmrec.generative.stages import align

    folder = tmp_path / "align"
    arguments = AlignArguments(dataset="toy", encoder="hash", align=False, baselines=False, run_dir=str(tmp_path))
    align(Session("align", folder, False, None, True), arguments)
    ranks, made = np.load(folder / "ranks.npz"), open_recommender(folder, pool=10)
    test = load_dataset("toy").split().test
    texts = made.heads.texts.numpy()
    for user in range(5):
        history = test.histories[user]
        mean = (0.8 ** np.arange(len(history) - 1, -1, -1)) @ texts[history]
        scores = texts @ (mean / np.linalg.norm(mean))
        found, listed, _ = made.retrieve(history.tolist(), Wishes())
        allowed = np.setdiff1d(np.arange(len(texts)), history)
        np.testing.assert_allclose(listed, np.sort(scores[allowed])[::-1][:10], atol=1e-5)
        place = ranks["ranks"][user]
        assert place == int((scores > scores[test.targets[user]] + 1e-6).sum()) or place < 0
        assert not set(found) & set(history.tolist())


def test_sasrec_is_trained_at_its_own_settings() -> None:
    from genrec.backbones.sasrec import SASRecConfig
    from llmrec.generative.alignment.baselines import sasrec_settings
    from llmrec.generative.settings import AlignArguments

    root = Path(__file__).parents[2]
    own = sasrec_settings(AlignArguments(sasrec=str(root / "recipes/configs/sasrec/ml1m/train.yaml")))
    assert (own.shape(SASRecConfig).width, own.fit().epochs, own.fit().schedule) == (128, 50, "cosine")
    for wrong, match in (
        ("nowhere.yaml", "no file"),
        (str(root / "recipes/configs/llmrec/ml1m/align.yaml"), "holds no"),
    ):
        with pytest.raises(ValueError, match=match):
            sasrec_settings(AlignArguments(sasrec=wrong))
