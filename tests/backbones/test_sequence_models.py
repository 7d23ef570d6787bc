"""Facts that hold for every sequence backbone, and those of GRU4Rec, BERT4Rec and item-kNN alone."""

import numpy as np
import pytest
import torch

from genrec.backbones.bert4rec import BERT4Rec, BERT4RecConfig, masked_positions
from genrec.backbones.gru4rec import GRU4Rec, GRU4RecConfig
from genrec.backbones.item_knn import ItemKNN
from genrec.backbones.popularity import Popularity
from genrec.backbones.rank import rank_id_model
from genrec.backbones.sasrec import SASRec, SASRecConfig
from genrec.backbones.train import fit_id_model
from genrec.data.split import leave_one_out
from genrec.fit.config import FitConfig

NUM_ITEMS = 30
SHAPE = {"width": 32, "dropout": 0.1, "max_history": 10}


def make(name, **options):
    kinds = {
        "sasrec": (SASRec, SASRecConfig),
        "gru4rec": (GRU4Rec, GRU4RecConfig),
        "bert4rec": (BERT4Rec, BERT4RecConfig),
    }
    model, config = kinds[name]
    return model(NUM_ITEMS, config(**{**SHAPE, "num_layers": 1, **options}), seed=3)


@pytest.fixture(scope="module")
def split():
    """Shoppers who mostly walk along a ring of the items."""
    random = np.random.default_rng(0)
    histories = []
    for _ in range(120):
        items = [int(random.integers(NUM_ITEMS))]
        for _ in range(int(random.integers(5, 14))):
            items.append((items[-1] + 1) % NUM_ITEMS if random.random() < 0.9 else int(random.integers(NUM_ITEMS)))
        histories.append(np.array(items, dtype=np.int64))
    return leave_one_out(histories)


ALL = pytest.mark.parametrize("name", ["sasrec", "gru4rec", "bert4rec"])


@ALL
def test_it_learns_the_walk_and_beats_popularity(name, split):
    model = make(name)
    fit_id_model(model, split, FitConfig(epochs=30, batch_size=64, learning_rate=1e-2, patience=0, eval_every=30))
    learnt = rank_id_model(model, split.test).table((10,))["NDCG@10"]
    popular = rank_id_model(Popularity(split.popularity(NUM_ITEMS)), split.test).table((10,))["NDCG@10"]
    assert learnt > (0.25 if name == "bert4rec" else 0.5)  # few of its positions are asked in an epoch
    assert learnt > 2 * popular


@ALL
def test_scores_are_user_vectors_times_item_vectors_and_batches_change_nothing(name):
    model = make(name)
    histories = [np.array([1, 2, 3]), np.array([4]), np.empty(0, np.int64), np.arange(25)]
    scores = model.score_histories(histories)
    expected = model.encode(histories).numpy() @ model.item_vectors().T
    np.testing.assert_allclose(scores.numpy(), expected, rtol=1e-4, atol=1e-5)
    for row, history in enumerate(histories):
        torch.testing.assert_close(scores[row : row + 1], model.score_histories([history]), rtol=1e-4, atol=1e-5)
    assert torch.isfinite(scores).all()


@ALL
def test_a_saved_model_scores_the_same(name, tmp_path):
    model = make(name)
    model.save(tmp_path)
    again = type(model).load(tmp_path)
    assert again.config == model.config
    assert torch.equal(again.score_histories([np.array([1, 2])]), model.score_histories([np.array([1, 2])]))


@ALL
def test_unknown_items_are_named(name):
    with pytest.raises(ValueError, match=r"history 1 holds item 30, but the catalogue has items 0\.\.29"):
        make(name).score_histories([np.array([1]), np.array([2, NUM_ITEMS])])


@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
def test_causal_models_do_not_see_later_items(name):
    model = make(name).eval()
    with torch.no_grad():
        one, other = model(torch.tensor([[1, 2, 3, 4]])), model(torch.tensor([[1, 2, 9, 8]]))
    torch.testing.assert_close(one[:, :2], other[:, :2])
    assert not torch.allclose(one[:, 2:], other[:, 2:])


def test_bert4rec_sees_both_sides_but_no_padding():
    model = make("bert4rec").eval()
    pad = NUM_ITEMS
    with torch.no_grad():
        short = model(torch.tensor([[1, model.mask_item, 3]]))
        padded = model(torch.tensor([[1, model.mask_item, 3, pad, pad]]))
        later = model(torch.tensor([[1, model.mask_item, 9]]))
        empty = model(torch.tensor([[pad, pad]]))
    torch.testing.assert_close(short, padded[:, :3], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(short[:, 1], later[:, 1])
    assert torch.isfinite(empty).all()


def test_masked_positions_by_hand():
    real = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    draws = torch.tensor([[0.1, 0.9, 0.2, 0.0], [0.8, 0.6, 0.1, 0.1], [0.1, 0.1, 0.1, 0.9]])
    hidden = masked_positions(real, draws, 0.3, torch.tensor([False, False, True]))
    # row 0: draws below 0.3, padding never; row 1: none is below, so its lowest real one; row 2: the last alone
    assert hidden.int().tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]


def test_bert4rec_asks_only_for_what_it_hides():
    model = make("bert4rec")
    batch = model.collator()([np.array([1, 2, 3, 4, 5]), np.array([6, 7])])
    torch.manual_seed(0)
    inputs, targets = model.questions(batch)
    hidden = inputs == model.mask_item
    assert torch.equal(hidden, targets >= 0)
    assert torch.equal(torch.where(hidden, targets, inputs), batch["inputs"])
    assert hidden.any(1).all()


def test_a_resumed_sampled_loss_equals_an_uninterrupted_one(split, tmp_path, monkeypatch):
    from genrec.fit.step import Stepper

    config = FitConfig(epochs=2, batch_size=64, patience=0, checkpoint_seconds=0.0)
    whole = make("gru4rec", loss="gbce", num_negatives=4)
    fit_id_model(whole, split, config)
    original, taken = Stepper.__call__, []

    def dies(self, *args):
        taken.append(args)
        if len(taken) == 3:
            raise KeyboardInterrupt
        return original(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "__call__", dies)
        with pytest.raises(KeyboardInterrupt):
            fit_id_model(make("gru4rec", loss="gbce", num_negatives=4), split, config, folder=tmp_path)
    resumed = make("gru4rec", loss="gbce", num_negatives=4)
    fit_id_model(resumed, split, config, folder=tmp_path)
    assert np.array_equal(resumed.item_vectors(), whole.item_vectors())


def test_a_fit_with_another_loss_does_not_go_on_from_the_kept_state(split, tmp_path):
    config = FitConfig(epochs=1, batch_size=64, patience=0)
    fit_id_model(make("gru4rec", loss="gbce", num_negatives=4), split, config, folder=tmp_path)
    with pytest.raises(ValueError, match=r"'loss': 'gbce'.* this run has \{'loss': 'bce'"):
        fit_id_model(make("gru4rec", loss="bce", num_negatives=4), split, config, folder=tmp_path)


def test_item_knn_by_hand():
    histories = [np.array([0, 1]), np.array([0, 1, 1]), np.array([1, 2])]
    model = ItemKNN(histories, 4, neighbours=1, shrink=0.0, decay=0.5)
    # users of items: 0: {0, 1}, 1: {0, 1, 2}, 2: {2}. cos(0, 1) = 2 / sqrt(6) = .8165, cos(1, 2) = 1 / sqrt(3) = .5774;
    # one neighbour each: 0 -> 1, 1 -> 0, 2 -> 1.
    scores = model.score_histories([np.array([0, 2]), np.array([1]), np.empty(0, np.int64)])
    # item 0 is one step back, so its neighbour counts half: .5 * .8165 + .5774 = .9856
    np.testing.assert_allclose(scores.numpy(), [[0, 0.98560, 0, 0], [0.81650, 0, 0, 0], [0, 0, 0, 0]], atol=1e-4)


def test_shapes_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match=r"mask_share=1\.0"):
        BERT4RecConfig(mask_share=1.0)
    with pytest.raises(ValueError, match="max_history must be at least 2"):
        BERT4RecConfig(max_history=1)
    with pytest.raises(ValueError, match="num_layers=0"):
        GRU4RecConfig(num_layers=0)
    with pytest.raises(ValueError, match="decay in"):
        ItemKNN([], 3, decay=0.0)
