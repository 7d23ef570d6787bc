"""Which weights does a stage keep?"""

from types import SimpleNamespace

import pytest
import torch

from genrec.posttrain.validation import ValidationCallback, best_step, load_best, record_scores, validation_history


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([0.1, 0.3, 0.2], 1),
        ([0.1, 0.3, 0.3], 1),  # equals: the earliest
        ([0.2, 0.1, 0.1], 0),  # training did harm
        ([0.0, 0.0, 0.0], 2),  # nobody was served: nothing speaks against the trained weights
        ([0.0, 0.1, 0.0], 1),
    ],
)
def test_the_best_step_by_hand(tmp_path, scores, best):
    for step, score in enumerate(scores):
        record_scores(tmp_path, step, {"NDCG@10": score})
    assert best_step(tmp_path, "NDCG@10") == best


def test_a_resumed_stage_replaces_the_scores_that_it_reaches_again(tmp_path):
    for step, score in ((0, 0.1), (5, 0.2), (10, 0.9), (5, 0.3)):
        record_scores(tmp_path, step, {"NDCG@10": score})
    assert validation_history(tmp_path) == [{"step": 0, "NDCG@10": 0.1}, {"step": 5, "NDCG@10": 0.3}]


def test_no_score_yet_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no validation scores"):
        best_step(tmp_path, "NDCG@10")


def test_the_callback_keeps_the_best_weights_and_leaves_randomness_and_mode_alone(tmp_path):
    model, marks = torch.nn.Linear(1, 1, bias=False).train(), iter([0.1, 0.5, 0.3])

    def evaluate(judged):
        assert not judged.training
        torch.rand(7)
        return {"NDCG@10": next(marks)}

    callback = ValidationCallback(evaluate, "NDCG@10", 2)
    args, state = SimpleNamespace(output_dir=str(tmp_path)), SimpleNamespace(is_world_process_zero=True, max_steps=4)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    for step in range(5):
        state.global_step = step
        model.weight.data.fill_(float(step))
        (callback.on_train_begin if step == 0 else callback.on_step_end)(args, state, None, model=model)
    callback.on_train_end(args, state, None, model=model)  # step 4 has been scored: nothing more
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)
    assert [row["step"] for row in validation_history(tmp_path)] == [0, 2, 4]
    load_best(model, tmp_path)
    assert model.weight.item() == 2.0


def test_training_that_a_budget_ends_is_scored_at_its_last_step(tmp_path):
    model, marks = torch.nn.Linear(1, 1, bias=False), iter([0.1, 0.5])
    callback = ValidationCallback(lambda judged: {"NDCG@10": next(marks)}, "NDCG@10", 0)
    args = SimpleNamespace(output_dir=str(tmp_path))
    state = SimpleNamespace(is_world_process_zero=True, max_steps=100_000, global_step=0)
    callback.on_train_begin(args, state, None, model=model)
    state.global_step = 7
    callback.on_step_end(args, state, None, model=model)
    model.weight.data.fill_(7.0)
    callback.on_train_end(args, state, None, model=model)
    assert [row["step"] for row in validation_history(tmp_path)] == [0, 7]
    model.weight.data.zero_()
    load_best(model, tmp_path)
    assert model.weight.item() == 7.0


def test_a_validation_without_the_metric_is_an_error(tmp_path):
    state = SimpleNamespace(is_world_process_zero=True, max_steps=4, global_step=0)
    callback = ValidationCallback(lambda model: {"other": 1.0}, "NDCG@10", 0)
    with pytest.raises(ValueError, match=r"not the metric 'NDCG@10'"):
        callback.on_train_begin(SimpleNamespace(output_dir=str(tmp_path)), state, None, model=torch.nn.Linear(1, 1))
