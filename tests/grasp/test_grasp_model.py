"""Facts about GRASP and the baselines around three backbones."""

import math

import numpy as np
import pytest
import torch
from grasp_toys import KINDS, NUM_ITEMS, NUM_USERS, TEXT, backbone, features, histories

from genrec.backbones.rank import rank_id_model
from genrec.backbones.train import fit_id_model
from genrec.data.split import leave_one_out
from genrec.fit.config import FitConfig
from llmrec.categories import cross_category_share, dominant
from llmrec.enriched import EnrichedModel
from llmrec.grasp.baselines import LLMInit, RLMRec, start_from_text
from llmrec.grasp.build import load_grasp
from llmrec.grasp.figures import attention_by_cosine
from llmrec.grasp.holistic import HolisticAttention, HolisticConfig, visible
from llmrec.grasp.llm_esr import LLMESR
from llmrec.grasp.losses import distance, info_nce
from llmrec.grasp.model import Grasp
from llmrec.grasp.settings import GraspArguments
from llmrec.grasp.text_items import TextItems

ALL = pytest.mark.parametrize("kind", KINDS)
SWITCHES = [{}, {"attention": False}, {"similar": False}, {"global_features": False}, {"softmax": True}]


def arms(kind, **options):
    own = {"features": features(), "seed": 1}
    return {
        "plain": EnrichedModel(backbone(kind, **options)),
        "grasp": Grasp(backbone(kind, **options), **own),
        "text_items": TextItems(backbone(kind, **options), **own),
        "rlmrec": RLMRec(backbone(kind, **options), **own),
        "llminit": LLMInit(backbone(kind, **options), features()),
        "llm_esr": LLMESR(backbone(kind, **options), histories=histories(), **own),
    }


def a_batch(model):
    torch.manual_seed(0)
    return model.collator()(model.windows(histories()[:9]))


@ALL
def test_every_arm_scores_empty_and_unknown_users_and_has_finite_gradients(kind):
    for name, model in arms(kind).items():
        loss = model.train().loss(a_batch(model))
        loss["loss"].sum().backward()
        gradients = [weight.grad for weight in model.parameters() if weight.requires_grad and weight.grad is not None]
        assert gradients, name
        assert all(torch.isfinite(grad).all() for grad in gradients), name
        asked = [np.array([1, 2]), np.empty(0, np.int64), np.arange(20) % NUM_ITEMS]
        scores = model.score_users(np.array([0, -1, 10_000]), asked)
        assert scores.shape == (3, NUM_ITEMS), name
        assert torch.isfinite(scores).all(), name
        assert torch.allclose(model.score_users(np.array([0]), asked[:1])[0], scores[0], atol=1e-5), name
        with pytest.raises(ValueError, match="holds item 30, but the catalogue has items"):
            model.score_users(np.array([0]), [np.array([NUM_ITEMS])])


@pytest.mark.parametrize("switches", SWITCHES)
def test_every_ablation_uses_all_its_weights(switches):
    model = Grasp(backbone(), features(), HolisticConfig(**switches), 0.5, 0).train()
    model.loss(a_batch(model))["loss"].backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []  # DDP would hang on these


def test_the_attention_is_left_out_for_its_share_of_the_training_sequences_only(monkeypatch):
    model = Grasp(backbone(dropout=0.0), features(), branch_dropout=0.25)
    with torch.no_grad():
        model.mix.adapter[3].bias.fill_(1.0)  # what the attention adds, whatever it sees
    monkeypatch.setattr(model.backbone, "contextualise", lambda embedded, inputs: embedded)
    table, users = model.item_table(), torch.zeros(400, dtype=torch.int64)
    inputs = torch.tensor([[1, 2, 3]]).expand(400, 3)
    torch.manual_seed(0)
    for training, low, high in ((True, 70, 130), (False, 0, 0)):
        model.train(training)
        added = (model.states(inputs, users, table) - model.embed(inputs, table)).abs().amax(dim=2)
        untouched = (added < 1e-6).all(dim=1)
        assert torch.equal(untouched, (added < 1e-6).any(dim=1))  # a sequence as a whole
        assert low <= int(untouched.sum()) <= high


def test_text_vectors_are_the_same_while_they_train():
    model = TextItems(backbone(), features()).train()
    assert torch.equal(model.item_table(), model.item_table())
    assert not torch.allclose(model.item_table(), model.backbone.item_table())


def test_the_plain_arm_is_the_backbone():
    model = EnrichedModel(backbone())
    asked = histories()[:5]
    assert torch.equal(model.score_histories(asked), backbone().score_histories(asked))
    batch = a_batch(model)
    assert torch.equal(model.eval().loss(batch)["loss"], backbone().eval().loss(batch)["loss"])


def test_a_position_does_not_see_later_items_but_bert4recs_does():
    for kind, same in (("sasrec", True), ("gru4rec", True), ("bert4rec", False)):
        model = Grasp(backbone(kind), features(), user_dropout=0.0).eval()
        table, users = model.scoring_table(), torch.tensor([0])
        one, other = (model.states(torch.tensor([row]), users, table) for row in ([1, 2, 3, 4], [1, 2, 9, 8]))
        assert torch.allclose(one[:, :2], other[:, :2], atol=1e-6) == same, kind


def test_what_is_visible_by_hand():
    inputs = torch.tensor([[4, 9, 10]])  # an item, an item, padding in a catalogue of 10
    assert visible(inputs, 10, causal=True)[0].int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 0]]
    assert visible(inputs, 10, causal=False)[0].int().tolist() == [[1, 1, 0]] * 3


def test_without_attention_the_features_are_plain_means():
    block = HolisticAttention(4, 4, HolisticConfig(attention=False), 0.0)
    weights = block.fine.weights(torch.zeros(1, 2, 4), torch.zeros(1, 2, 4), torch.ones(1, 2, 2).tril().bool())
    assert weights[0].tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_the_learnt_bias_starts_at_minus_log_n_and_softmax_has_none():
    block = HolisticAttention(4, 4, HolisticConfig(), 0.0)
    mask = torch.ones(1, 1, 3, dtype=torch.bool)
    weights = block.fine.weights(torch.zeros(1, 1, 4), torch.zeros(1, 3, 4), mask)
    # scores 0: sigmoid(-ln 3) = 1 / (1 + 3)
    torch.testing.assert_close(weights, torch.full((1, 1, 3), 0.25))
    with torch.no_grad():
        block.fine.bias.fill_(math.log(3.0))
    torch.testing.assert_close(
        block.fine.weights(torch.zeros(1, 1, 4), torch.zeros(1, 3, 4), mask), torch.full((1, 1, 3), 0.5)
    )
    assert not hasattr(HolisticAttention(4, 4, HolisticConfig(softmax=True), 0.0).fine, "bias")


def test_an_unknown_user_does_not_look_at_similar_users():
    model = Grasp(backbone(), features(), user_dropout=0.0).eval()
    asked = [np.array([1, 2, 3])] * 2
    one = model.score_users(np.array([-1, NUM_USERS]), asked)
    torch.testing.assert_close(one[0], one[1])
    model.features.tables["similar_users"] += 1.0
    torch.testing.assert_close(model.score_users(np.array([-1, -1]), asked), one)
    assert not torch.allclose(model.score_users(np.array([0, 1]), asked), one)


@pytest.mark.parametrize("switches", SWITCHES)
def test_kept_people_and_parts_change_no_score(switches):
    model = Grasp(backbone(), features(), HolisticConfig(**switches)).eval()
    table, users = model.scoring_table(), torch.tensor([3, -1, NUM_USERS + 5])
    inputs = torch.tensor([[1, 2, 3], [4, 5, 6], [1, 2, NUM_ITEMS]])
    with torch.no_grad():
        kept, computed = (model.states(inputs, users, one) for one in (table, table.clone()))
    torch.testing.assert_close(kept, computed)
    assert model._people.shape[0] == NUM_USERS + 1
    assert model.train()._people is None


def test_kept_scores_follow_the_weights():
    model = Grasp(backbone(), features())
    before = model.item_vectors()
    model.load_state_dict({name: value + 0.1 for name, value in model.state_dict().items()})
    assert not np.allclose(model.item_vectors(), before)


def test_it_learns_and_a_saved_model_scores_the_same(tmp_path):
    split = leave_one_out(histories())
    model = Grasp(backbone(width=32), features(), seed=0)
    fit_id_model(model, split, FitConfig(epochs=40, batch_size=32, learning_rate=1e-2, patience=0, eval_every=40))
    found = rank_id_model(model, split.test).table((10,))
    assert found["NDCG@10"] > 0.3
    model.save(tmp_path)
    again = load_grasp(tmp_path)
    users = np.arange(8)
    torch.testing.assert_close(again.score_users(users, split.train[:8]), model.score_users(users, split.train[:8]))
    value = attention_by_cosine(model, split.test)
    assert value is not None
    assert -1.0 <= value <= 1.0


def test_attention_by_cosine_is_one_where_weights_follow_the_cosines(monkeypatch):
    model = Grasp(backbone(), features())
    cosines = model.features.tables["item_cosines"][:, 0].numpy()
    monkeypatch.setattr(model, "global_weights", lambda users, asked: [cosines[h[-10:]] * 3 for h in asked])
    assert attention_by_cosine(model, leave_one_out(histories()).test) == pytest.approx(1.0)


def test_info_nce_by_hand():
    # orthonormal rows, temperature 1: own cosine 1, the other 0: -log(e / (e + 1))
    rows = torch.eye(2)
    expected = math.log(1 + math.exp(-1.0))
    assert info_nce(rows, rows, 1.0).item() == pytest.approx(expected)
    assert info_nce(3 * rows, rows, 0.5).item() == pytest.approx(math.log(1 + math.exp(-2.0)))
    same = torch.ones(2, 2, dtype=torch.bool)  # the other key says the same: no negative is left
    assert info_nce(rows, rows, 1.0, same).item() == pytest.approx(0.0, abs=1e-6)
    assert info_nce(rows[:1], rows[:1], 1.0).item() == 0.0


def test_the_distance_teaches_the_student_only():
    student, teacher = torch.tensor([[1.0, 3.0]], requires_grad=True), torch.tensor([[0.0, 1.0]], requires_grad=True)
    loss = distance(student, teacher)
    assert loss.item() == pytest.approx((1 + 4) / 2)
    loss.backward()
    assert student.grad.tolist() == [[1.0, 2.0]]
    assert teacher.grad is None


def test_llminit_keeps_the_directions_of_the_texts():
    model, texts = backbone(), features()
    start_from_text(model, texts)
    table = model.item_table().detach()[:, :TEXT]
    assert table.std().item() == pytest.approx(0.02, rel=1e-3)
    centred = texts.tables["items"] - texts.tables["items"].mean(0)
    cosines = [torch.nn.functional.normalize(part, dim=1) for part in (table, centred)]
    torch.testing.assert_close(*(part @ part.T for part in cosines), atol=1e-4, rtol=1e-3)


def test_dominant_category_and_cross_category_share_by_hand():
    assert dominant([1, 2, 2, 1]) == 1  # both twice: the later one
    assert dominant([-1, 3]) == 3
    assert dominant([-1]) == -1
    categories = np.array([0, 0, 1, -1])
    lists = np.array([[0, 1, 2, 3], [2, -1, -1, -1], [3, 3, 3, 3]])
    asked = [np.array([0]), np.array([2]), np.array([0])]
    # 1 of 3 judged items is outside category 0; none of 1; the third list has no category: left out
    assert cross_category_share(lists, asked, categories) == pytest.approx((1 / 3 + 0) / 2)
    assert cross_category_share(lists[2:], asked[2:], categories) is None


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="text features are of 30 items, the catalogue has 31"):
        Grasp(KINDS["sasrec"][0](31, KINDS["sasrec"][1](width=16)), features())
    with pytest.raises(ValueError, match="arm is 'best'"):
        GraspArguments(arm="best")
    with pytest.raises(ValueError, match="backbone is 'mamba'"):
        GraspArguments(backbone="mamba")
    with pytest.raises(ValueError, match="corrupt_share must be in"):
        GraspArguments(corrupt_share=2.0)
    with pytest.raises(ValueError, match="branch_dropout in"):
        GraspArguments(branch_dropout=1.0)
    assert GraspArguments(similar=False, softmax=True).row_name() == "GRASP, no similar, softmax"
