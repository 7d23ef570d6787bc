"""Labels that are mixtures of items: shares per level by hand, what a batch holds, and what the loss becomes."""

import numpy as np
import pytest
import torch
from datasets import Dataset

from genrec.posttrain.compact_head import score_labels
from genrec.posttrain.rows import RecCollator
from genrec.posttrain.sft import RecSFTTrainer
from genrec.posttrain.soft_labels import SoftCollator, SoftLabels, level_weights

ITEM_TOKENS = np.array([[1, 5], [1, 6], [2, 5], [2, 6]])
# entry 0: item 0 came, the guesses are 1 and 2; entry 1: item 3 came, nothing is guessed
TABLE = (np.array([[0, 1, 2], [3, 0, 0]]), np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]], dtype=np.float32))
TEACHER = SoftLabels(lambda entries: (TABLE[0][entries], TABLE[1][entries]), ITEM_TOKENS)


def test_shares_of_each_level_by_hand():
    candidates = ITEM_TOKENS[TABLE[0][:1]]
    shares = level_weights(np.array([[1, 5]]), candidates, TABLE[1][:1])
    assert shares[0, 0] == pytest.approx([0.5, 0.3, 0.2])  # level 1: items 0 and 1 both say token 1
    assert shares[0, 1] == pytest.approx([0.625, 0.375, 0.0])  # behind token 1: .5 and .3 of .8
    swapped = level_weights(np.array([[2, 5]]), candidates, TABLE[1][:1])
    assert swapped[0, 1] == pytest.approx([0.0, 0.0, 1.0])  # behind token 2 only item 2 is left


def test_levels_multiply_to_the_mixture_over_items():
    rng = np.random.default_rng(0)
    codes = np.array([[a, b, c] for a in range(3) for b in range(2) for c in range(2)])
    weights = rng.random((1, 12)).astype(np.float32)
    for item, path in enumerate(codes):
        shares = level_weights(path[None], codes[None], weights)[0]
        chance = np.prod([shares[level][codes[:, level] == path[level]].sum() for level in range(3)])
        assert chance == pytest.approx(weights[0, item] / weights.sum(), rel=1e-5)


def test_a_path_of_no_candidate_is_an_error():
    with pytest.raises(ValueError, match=r"no candidate agrees with \[9, 5\] up to level 1"):
        level_weights(np.array([[9, 5]]), ITEM_TOKENS[TABLE[0][:1]], TABLE[1][:1])


def batch_of(rows):
    return SoftCollator(RecCollator(0), TEACHER)(rows)


def test_a_batch_mixes_texts_with_items():
    rows = [
        {"input_ids": [7, 8, 9], "labels": [-100, 8, 9], "teacher": []},
        {"input_ids": [7, 1, 5, 2, 6], "labels": [-100, 1, 5, 2, 6], "teacher": [0, 1]},
    ]
    batch = batch_of(rows)
    assert batch["soft_tokens"].tolist()[:2] == [[8, 8, 8], [9, 9, 9]]  # a text's labels are its tokens
    assert batch["soft_weights"].tolist()[:2] == [[1, 0, 0], [1, 0, 0]]
    assert batch["soft_tokens"].tolist()[2:4] == [[1, 1, 2], [5, 6, 5]]
    assert batch["soft_weights"][2:4].tolist() == [pytest.approx([0.5, 0.3, 0.2]), pytest.approx([0.625, 0.375, 0.0])]
    assert batch["soft_weights"][4:].tolist() == [[1, 0, 0], [1, 0, 0]]  # nothing guessed: the item that came
    assert set(batch_of(rows[:1])) == {"input_ids", "attention_mask", "labels"}


def test_entries_that_do_not_fit_the_labels_are_an_error():
    with pytest.raises(ValueError, match=r"row 0 .* 1 items .* of its 3 labels \[2\] at the end are no item's tokens"):
        batch_of([{"input_ids": [7, 1, 5, 2], "labels": [-100, 1, 5, 2], "teacher": [0]}])
    with pytest.raises(ValueError, match=r"row 0 .* 1 items .* but its labels hold 2"):
        batch_of([{"input_ids": [7, 1, 5, 2, 6], "labels": [-100, 1, 5, 2, 6], "teacher": [0]}])


def test_items_of_different_lengths_by_hand():
    tokens = np.array([[1, 5, -1], [1, 6, 7], [2, -1, -1]])
    items, weights = np.array([[1, 0, 2]]), np.array([[0.5, 0.3, 0.2]])
    teacher = SoftLabels(lambda entries: (items[entries], weights[entries]), tokens)
    row = {"input_ids": [9, 1, 6, 7], "labels": [-100, 1, 6, 7], "teacher": [0]}
    batch = SoftCollator(RecCollator(0), teacher)([row])
    # level 1: items 1 and 0 say token 1; behind it .5 and .3 of .8; behind 1, 6 only item 1 is left
    assert batch["soft_weights"].tolist() == [
        pytest.approx([0.5, 0.3, 0.2]), pytest.approx([0.625, 0.375, 0]), pytest.approx([1, 0, 0])
    ]  # fmt: skip
    assert [found[0] for found in batch["soft_tokens"].tolist()] == [1, 6, 7]
    assert batch["soft_tokens"].tolist()[1][:2] == [6, 5]
    assert (batch["soft_tokens"] >= 0).all()
    short = {"input_ids": [9, 2], "labels": [-100, 2], "teacher": [0]}  # a swapped item: a candidate of one token
    batch = SoftCollator(RecCollator(0), teacher)([short, row])
    assert batch["soft_weights"].tolist()[0] == pytest.approx([0.5, 0.3, 0.2])
    assert len(batch["soft_tokens"]) == 4


def test_the_score_of_a_soft_label_is_the_expected_log_probability():
    head = torch.nn.Linear(2, 3, bias=False)
    head.weight.data = torch.eye(3)[:, :2]
    hidden = torch.tensor([[[1.0, 0.0]]])
    soft = (torch.tensor([[0, 1]]), torch.tensor([[0.75, 0.25]]))
    found = score_labels(hidden, head, torch.tensor([[0]]), *soft)
    log_z = torch.logsumexp(torch.tensor([1.0, 0.0, 0.0]), 0)
    torch.testing.assert_close(found.loss, log_z - 0.75)
    one_hot = (torch.tensor([[0, 1]]), torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(
        score_labels(hidden, head, torch.tensor([[0]]), *one_hot).loss,
        score_labels(hidden, head, torch.tensor([[0]])).loss,
    )


def rows(entries):
    ids = [7, 1, 5, 2, 6]
    columns = {"input_ids": [ids] * 4, "completion_mask": [[0, 1, 1, 1, 1]] * 4, "teacher": [entries] * 4}
    return Dataset.from_dict(columns)


def train(tiny, folder, entries, soft_labels, **changes):
    args = tiny.args(folder, per_device_train_batch_size=2, max_steps=60, learning_rate=0.02, **changes)
    model = tiny.model()
    trainer = RecSFTTrainer(model, args, rows(entries), processing_class=tiny.tokenizer(), soft_labels=soft_labels)
    trainer.train()
    with torch.no_grad():
        return model(torch.tensor([[7, 1]])).logits.softmax(-1)[0], trainer


def test_a_trained_model_says_what_the_mixture_says(tiny, tmp_path):
    shares, trainer = train(tiny, tmp_path / "soft", [0, 1], TEACHER)
    assert shares[0, [1, 2]].tolist() == pytest.approx([0.8, 0.2], abs=0.05)
    assert shares[1, [5, 6]].tolist() == pytest.approx([0.625, 0.375], abs=0.05)
    assert "mean_token_accuracy" in trainer.state.log_history[0]
    plain, _ = train(tiny, tmp_path / "plain", [0, 1], None)
    assert plain[0, 1] > 0.95


def test_a_teacher_needs_the_plain_likelihood(tiny, tmp_path):
    with pytest.raises(ValueError, match="need loss_type 'nll' and no label smoothing"):
        train(tiny, tmp_path, [0, 1], TEACHER, label_smoothing_factor=0.1)
