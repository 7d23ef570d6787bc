"""Facts about Popularity, SASRec and how they are ranked."""

import numpy as np
import pytest
import torch

from genrec.backbones.catalogue_loss import catalogue_cross_entropy
from genrec.backbones.popularity import Popularity
from genrec.backbones.rank import evaluate_id_model, rank_id_model
from genrec.backbones.sasrec import SASRec, SASRecConfig
from genrec.backbones.train import train_sasrec
from genrec.data.split import Targets, leave_one_out
from genrec.fit.config import FitConfig
from genrec.fit.sequences import next_item_collator

NUM_ITEMS = 40
SMALL = SASRecConfig(width=32, num_layers=1, num_heads=2, dropout=0.1, max_history=12)


@pytest.fixture(scope="module")
def split():
    """Shoppers who mostly walk along a fixed permutation of the items."""
    random = np.random.default_rng(0)
    after = random.permutation(NUM_ITEMS)
    histories = []
    for _ in range(150):
        items = [int(random.integers(NUM_ITEMS))]
        while len(items) < random.integers(6, 20):
            items.append(int(after[items[-1]]) if random.random() < 0.8 else int(random.integers(NUM_ITEMS)))
        histories.append(np.array(items, dtype=np.int64))
    return leave_one_out([history for history in histories if len(history) >= 3])


@pytest.fixture(scope="module")
def targets():
    histories = [np.array(items, dtype=np.int64) for items in ([0, 1], [2], [], [3, 3, 0])]
    return Targets(np.arange(4), histories, np.array([2, 0, 1, 3]))


def test_popularity_ranks_by_count_in_both_columns(targets):
    ranking = rank_id_model(Popularity([5, 9, 1, 1]), targets, top_k=3)
    # as is: 1 (9), 0 (5), then 2 and 3 tie: either comes last
    assert ranking.ranks.tolist() == [3, 1, 0, 3]
    # unseen: user 0 has only 2 and 3 left; the target of user 3 lies in its history
    assert ranking.ranks_unseen.tolist() == [1, 1, 0, -1]
    assert ranking.items[:, :2].tolist() == [[1, 0]] * 4
    assert ranking.items_unseen[0, 2] == -1
    assert set(ranking.items_unseen[0, :2].tolist()) == {2, 3}
    assert ranking.items_unseen[3].tolist() == [1, 2, -1]
    assert ranking.table((1,))["Recall@1"] == 0.25
    assert ranking.table((1,))["Recall@1_unseen"] == 0.25


def test_one_column_equals_the_table_and_batches_change_nothing(targets):
    model = SASRec(4, SMALL)
    ranking = rank_id_model(model, targets, batch_size=3)
    assert evaluate_id_model(model, targets, batch_size=1).tolist() == ranking.ranks.tolist()
    assert evaluate_id_model(model, targets, exclude_history=True).tolist() == ranking.ranks_unseen.tolist()


def test_a_sample_of_targets_is_seeded_and_keeps_order(split):
    sample = split.valid.sample(20, seed=1)
    assert len(sample) == 20
    assert sample.users.tolist() == sorted(sample.users.tolist())
    assert sample.users.tolist() == split.valid.sample(20, seed=1).users.tolist()
    assert split.valid.sample(None) is split.valid


def test_a_position_does_not_see_later_items():
    model = SASRec(NUM_ITEMS, SMALL).eval()
    first, second = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[1, 2, 9, 8]])
    with torch.no_grad():
        states = model(first), model(second)
    torch.testing.assert_close(states[0][:, :2], states[1][:, :2])
    assert (states[0][:, 2:] - states[1][:, 2:]).abs().min(dim=-1).values.max() > 0


def test_padding_changes_neither_loss_nor_scores():
    model = SASRec(NUM_ITEMS, SMALL).eval()
    collate = next_item_collator(NUM_ITEMS)
    windows = [np.array([1, 2, 3, 4, 5]), np.array([6, 7])]
    together = model.loss(collate(windows))
    parts = [model.loss(collate([window])) for window in windows]
    assert [int(part["weight"]) for part in (together, *parts)] == [5, 4, 1]
    weighted = sum(part["loss"] * part["weight"] for part in parts) / 5
    torch.testing.assert_close(together["loss"], weighted)
    scores = model.score_histories([np.array([1, 2, 3]), np.array([4])])
    torch.testing.assert_close(scores[1:], model.score_histories([np.array([4])]))


def test_only_the_recent_history_is_read():
    model = SASRec(NUM_ITEMS, SMALL)
    recent = np.arange(SMALL.max_history)
    torch.testing.assert_close(
        model.score_histories([np.concatenate([[30, 31], recent])]), model.score_histories([recent])
    )


@pytest.mark.parametrize("cells", [1_000_000, 35], ids=["one chunk", "chunks of 5 rows"])
def test_chunked_cross_entropy_equals_torch_in_value_and_gradients(monkeypatch, cells):
    monkeypatch.setattr("genrec.backbones.catalogue_loss.CHUNK_CELLS", cells)
    torch.manual_seed(0)
    targets = torch.randint(0, 7, (12,))
    ours = torch.randn(12, 4, requires_grad=True), torch.randn(7, 4, requires_grad=True)
    theirs = tuple(part.detach().clone().requires_grad_() for part in ours)
    loss = catalogue_cross_entropy(*ours, targets)
    expected = torch.nn.functional.cross_entropy(theirs[0] @ theirs[1].T, targets)
    torch.testing.assert_close(loss, expected)
    (3 * loss).backward()
    (3 * expected).backward()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_item_vectors_are_the_tied_output_rows():
    model = SASRec(NUM_ITEMS, SMALL)
    vectors = model.item_vectors()
    assert vectors.shape == (NUM_ITEMS, 32)
    assert vectors.dtype == np.float32
    model.eval()
    hidden = model(torch.tensor([[3]]))[:, 0].detach()
    torch.testing.assert_close(model.score_histories([np.array([3])]), hidden @ torch.from_numpy(vectors).T)


def test_sasrec_learns_the_walk_and_beats_popularity(split, tmp_path):
    config = FitConfig(epochs=30, batch_size=32, learning_rate=5e-3, patience=5)
    model, result = train_sasrec(split, NUM_ITEMS, SMALL, config, folder=tmp_path)
    learnt = rank_id_model(model, split.test).table((10,))
    popular = rank_id_model(Popularity(split.popularity(NUM_ITEMS)), split.test).table((10,))
    assert learnt["NDCG@10"] > 0.5 > 2 * popular["NDCG@10"]
    assert result.best["NDCG@10"] == max(entry["NDCG@10"] for entry in result.history)
    again, _ = train_sasrec(split, NUM_ITEMS, SMALL, config, folder=tmp_path)
    assert np.array_equal(again.item_vectors(), model.item_vectors())


def test_saved_model_scores_the_same(tmp_path):
    model = SASRec(NUM_ITEMS, SMALL, seed=4)
    model.save(tmp_path)
    again = SASRec.load(tmp_path)
    assert again.config == SMALL
    assert torch.equal(again.score_histories([np.array([1, 2])]), model.score_histories([np.array([1, 2])]))


def test_shapes_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="width=10, num_heads=4"):
        SASRecConfig(width=10, num_heads=4)
    with pytest.raises(ValueError, match="dropout"):
        SASRecConfig(dropout=1.0)
