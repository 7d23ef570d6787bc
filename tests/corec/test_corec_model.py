"""Facts about CoRec and its baselines around three backbones."""

import numpy as np
import pytest
import torch
from corec_toys import KINDS, NUM_ITEMS, backbone, histories

from genrec.backbones.rank import rank_id_model
from genrec.backbones.train import fit_id_model
from genrec.data.split import leave_one_out
from genrec.fit.config import FitConfig
from llmrec.corec.apart import Apart
from llmrec.corec.build import load_corec
from llmrec.corec.config import CoRecConfig
from llmrec.corec.interests import Interests, cooccurrence_vectors, learn_interests
from llmrec.corec.model import CoRec
from llmrec.corec.recvae import RecVAE, RecVAEConfig
from llmrec.corec.settings import CorecArguments
from llmrec.enriched import UserWindow

ALL = pytest.mark.parametrize("kind", KINDS)
TWO = Interests(np.repeat([0, 1], 10), 2)


def make(kind="sasrec", **options):
    return CoRec(backbone(kind), TWO, CoRecConfig(latent=4, kl_steps=5, **options), seed=1)


def a_batch(model, count=8):
    torch.manual_seed(0)
    return model.collator()(model.windows(histories()[:count]))


@ALL
@pytest.mark.parametrize("options", [{}, {"contrast": False}, {"reconstruction": False}, {"fixed_weights": True}])
def test_every_ablation_uses_all_its_weights_and_has_finite_gradients(kind, options):
    model = make(kind, **options).train()
    out = model.loss(a_batch(model))
    assert len(out["loss"]) == len(out["weight"]) == 3 - len([name for name in options if name != "fixed_weights"])
    out["loss"].sum().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []
    assert all(torch.isfinite(weight.grad).all() for weight in model.parameters())


@ALL
def test_recommending_is_the_backbones_own(kind):
    model = make(kind)
    asked = [np.array([1, 2, 3]), np.empty(0, np.int64)]
    torch.testing.assert_close(model.score_histories(asked), backbone(kind).score_histories(asked))
    assert torch.isfinite(model.complete(asked)).all()
    with pytest.raises(ValueError, match="holds item 20, but the catalogue has items"):
        model.score_histories([np.array([NUM_ITEMS])])


def test_with_both_modules_off_the_loss_is_the_backbones():
    model = make(contrast=False, reconstruction=False).eval()
    batch = a_batch(model)
    assert torch.equal(model.loss(batch)["loss"][0], backbone().eval().loss(batch)["loss"])


def test_who_belongs_together_by_hand():
    model = make()
    # columns: sequence (2), view, last item, dominant cluster
    facts = torch.tensor([[0, 7, 0, 5, 0], [0, 7, 1, 5, 0], [1, 7, 0, 5, 1], [2, 7, 0, 6, 0], [0, 7, 0, 5, 0]])
    (view, item, cluster), ignored = model._pairs(facts[:1], facts)
    assert view[0].tolist() == [False, True, False, False, False]
    assert item[0].tolist() == [False, False, True, False, False]
    assert cluster[0].tolist() == [False, False, False, True, False]
    assert ignored[0].tolist() == [True, False, False, False, True]  # itself, and its copy


def test_core_items_are_those_of_core_clusters():
    model = CoRec(backbone(), Interests(np.array([0] * 10 + [1] * 9 + [-1]), 2), CoRecConfig())
    core = model.core_items(torch.tensor([[True, False], [False, True]]))
    assert core[0].nonzero()[:, 0].tolist() == list(range(10))
    assert core[1].nonzero()[:, 0].tolist() == list(range(10, 19))  # item 19 has no cluster: in nobody's core
    assert TWO.core(np.array([0, 1, 2, 12]), 0.25).tolist() == [True, True]
    assert TWO.core(np.array([0, 1, 2, 12]), 0.3).tolist() == [True, False]
    assert TWO.core(np.empty(0, np.int64), 0.3).tolist() == [False, False]


def test_completion_stays_inside_the_core_interests():
    model = make(core_share=0.5)
    best = model.complete([np.array([1, 2, 3]), np.array([11, 12])]).argsort(dim=1, descending=True)
    assert set(best[0, :10].tolist()) == set(range(10))
    assert set(best[1, :10].tolist()) == set(range(10, 20))


def test_draws_of_a_sequence_depend_on_the_step_and_not_on_its_place_in_the_batch():
    model = make()
    windows = model.windows(histories()[:4])
    torch.manual_seed(5)
    together = model.batches(windows)
    torch.manual_seed(5)
    alone = model.batches(windows[2:3])
    assert torch.equal(together["noise"][2:3], alone["noise"])
    length = int(alone["last_a"]) + 1
    assert torch.equal(together["view_a"][2, :length], alone["view_a"][0, :length])
    torch.manual_seed(6)
    assert not torch.equal(model.batches(windows[2:3])["noise"], alone["noise"])


def test_a_sequence_of_one_item_and_an_all_hidden_part_are_read():
    model = make(hidden_share=0.99).train()
    windows = [UserWindow(0, np.array([3, 4])), UserWindow(1, np.array([13, 14]))]
    assert torch.isfinite(model.loss(model.collator()(windows))["loss"]).all()


def test_interests_come_from_training_interactions_alone():
    own = histories()
    split = leave_one_out(own)
    changed = leave_one_out([np.append(history[:-2], (history[-2:] + 3) % NUM_ITEMS) for history in own])
    first, second = (learn_interests(part.train, NUM_ITEMS, 2) for part in (split, changed))
    assert np.array_equal(first.labels, second.labels)
    assert len(set(first.labels[:10])) == len(set(first.labels[10:])) == 1  # the departments are found
    assert first.labels[0] != first.labels[10]


def test_an_item_without_company_has_no_cluster():
    vectors = cooccurrence_vectors([np.array([0, 1, 2]), np.array([1, 2, 3]), np.array([4])], 6, width=3)
    assert np.abs(vectors[4:]).sum() == 0
    np.testing.assert_allclose(np.linalg.norm(vectors[:4], axis=1), 1.0, rtol=1e-5)
    with pytest.raises(ValueError, match="no two items share a training user"):
        learn_interests([np.array([0])], 3, 2)


def test_it_learns_and_a_saved_model_scores_the_same(tmp_path):
    split = leave_one_out(histories(80))
    model = make()
    fit_id_model(model, split, FitConfig(epochs=12, batch_size=32, learning_rate=1e-2, patience=0, eval_every=12))
    assert rank_id_model(model, split.test).table((5,))["NDCG@5"] > 0.5
    assert int(model.steps) > 0
    model.save(tmp_path)
    again = load_corec(tmp_path, TWO)
    torch.testing.assert_close(again.score_histories(split.train[:5]), model.score_histories(split.train[:5]))
    torch.testing.assert_close(again.complete(split.train[:5]), model.complete(split.train[:5]))


def test_models_trained_apart_are_added_by_length():
    first, second = make(reconstruction=False), make(contrast=False)
    fused, history = Apart(first, second), [np.arange(8)]
    # n = n0 = 8: one half each
    expected = 0.5 * first.score_histories(history) + 0.5 * second.score_histories(history)
    torch.testing.assert_close(fused.score_histories(history), expected)
    assert torch.equal(fused.complete(history), second.complete(history))


def test_recvae_reads_sets_and_learns_what_goes_together():
    split = leave_one_out(histories(80))
    model = RecVAE(NUM_ITEMS, RecVAEConfig(width=16, hidden=32), seed=0)
    fit_id_model(model, split, FitConfig(epochs=30, batch_size=32, learning_rate=1e-2, patience=0, eval_every=30))
    best = model.score_histories([np.array([1, 2, 3]), np.array([13, 11, 12])]).argsort(dim=1, descending=True)[:, :8]
    assert (best[0] < 10).all()
    assert (best[1] >= 10).all()
    one, other = model.score_histories([np.array([1, 2, 3])]), model.score_histories([np.array([3, 2, 1, 1])])
    torch.testing.assert_close(one, other)
    assert torch.isfinite(model.score_histories([np.empty(0, np.int64)])).all()


def test_settings_name_the_arms():
    assert CorecArguments(arm="cl4srec").corec().positives == ("view",)
    assert CorecArguments(contrast=False).row_name() == "CoRec, no contrast"
    with pytest.raises(ValueError, match="arm is 'best'"):
        CorecArguments(arm="best")
    with pytest.raises(ValueError, match="clusters are of 20 items, the catalogue has 21"):
        CoRec(KINDS["sasrec"][0](21, KINDS["sasrec"][1](width=16)), TWO, CoRecConfig())
