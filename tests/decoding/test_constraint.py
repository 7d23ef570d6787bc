"""Facts about constrained answers: what is allowed, what generate samples, how it is scored."""

import numpy as np
import pytest
import torch

from genrec.decoding.constraint import FORCED, FREE, AnswerConstraint
from genrec.decoding.logps import constrained_log_probs
from genrec.decoding.processors import TrieLogitsProcessor
from genrec.decoding.trie import Trie
from genrec.sid.vocabulary import PaddedRowsMask

THINK_END, EOS, PAD = 10, 11, 12
PREFIX, SUFFIX = [13, 14], [15, 16, 17]
CODES = [[20, 30], [20, 31], [21, 30], [22, -1]]
VOCABULARY = 60


@pytest.fixture
def constraint():
    return AnswerConstraint(Trie.from_codes(CODES), THINK_END, PREFIX, SUFFIX, EOS)


def walk(constraint, generated):
    allowed = constraint.allowed(generated)
    return None if allowed is None else allowed.tolist()


def test_chain_is_free_then_tags_item_tags_end_are_forced_in_order(constraint):
    answer = [THINK_END, 13, 14, 20, 31, 15, 16, 17, EOS]
    allowed = [walk(constraint, [5, 6, *answer[:count]]) for count in range(10)]
    assert allowed == [None, [13], [14], [20, 21, 22], [30, 31], [15], [16], [17], [EOS], [EOS]]


def test_short_codes_end_where_their_leaf_is(constraint):
    assert walk(constraint, [THINK_END, 13, 14, 22]) == [15]


def test_a_chain_that_ended_without_an_answer_stays_free(constraint):
    assert walk(constraint, [5, EOS, PAD]) is None
    assert walk(constraint, [5, EOS, THINK_END]) is None


def test_marker_of_several_tokens_and_empty_tags():
    constraint = AnswerConstraint(Trie.from_codes(CODES), [7, 8], [], [], EOS)
    assert walk(constraint, [8, 7]) is None
    assert walk(constraint, [7, 7, 8]) == [20, 21, 22]
    assert walk(constraint, [7, 8, 22]) == [EOS]


def test_empty_marker_constrains_from_the_first_token():
    constraint = AnswerConstraint(Trie.from_codes(CODES), [], [13], [], EOS)
    assert walk(constraint, []) == [13]
    assert walk(constraint, [13]) == [20, 21, 22]


def test_masks_of_finished_truncated_and_answerless_completions(constraint):
    completions = [
        [5, THINK_END, 13, 14, 20, 31, 15, 16, 17, EOS, PAD],
        [5, 6, THINK_END, 13, 14, 21, 30, 15, 16, 17, EOS],
        [5, 5, 5, EOS, PAD, PAD, PAD, PAD, PAD, PAD, PAD],
        [5, 5, 5, 5, 5, 5, 5, 5, THINK_END, 13, 14],
    ]
    masks = constraint.masks(completions)
    trie = constraint.trie
    after_20, after_21 = trie.node([20]), trie.node([21])
    free, forced = FREE, FORCED
    assert masks.nodes.tolist() == [
        [free] * 2 + [forced] * 2 + [0, after_20] + [forced] * 5,
        [free] * 3 + [forced] * 2 + [0, after_21] + [forced] * 4,
        [free] * 4 + [forced] * 7,
        [free] * 9 + [forced] * 2,
    ]
    choices = (~masks.forced).sum(axis=1)
    assert choices.tolist() == [4, 4, 4, 9]  # 21 has an only child: no choice either
    assert masks.constrained.sum() == 4


def test_completion_mask_hides_padding_of_truncated_rows(constraint):
    masks = constraint.masks([[5, 6, PAD, PAD]], completion_mask=[[1, 1, 0, 0]])
    assert masks.nodes.tolist() == [[FREE, FREE, FORCED, FORCED]]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([THINK_END, 13, 13], "token 13 stands where 14 was forced"),
        ([THINK_END, 13, 14, 29], "token 29 leads nowhere"),
        ([THINK_END, 13, 14, 22, 15, 16, 17, 5], "token 5 stands where 11 was forced"),
    ],
)
def test_completions_of_another_constraint_are_refused(constraint, row, words):
    with pytest.raises(ValueError, match=f"completion 1 .*{words}"):
        constraint.masks([[5] * len(row), row])


def generate(model, constraint, count, **options):
    """Sampled completions (count, C) that begin with a free chain; `</think>` is made likely by a bias."""
    prompt = torch.tensor([[1, 2, THINK_END, 3]]).expand(count, -1)  # a marker in the prompt must not count
    processors = [
        PaddedRowsMask(VOCABULARY - 10),
        TrieLogitsProcessor(constraint, prompt.shape[1]),
    ]
    out = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=True,
        top_k=0,
        max_new_tokens=16,
        eos_token_id=EOS,
        pad_token_id=PAD,
        logits_processor=processors,
        sequence_bias={(THINK_END,): 6.0, (EOS,): -20.0},
        return_dict_in_generate=True,
        output_scores=True,
        **options,
    )
    return prompt, out.sequences[:, prompt.shape[1] :], torch.stack(out.scores, dim=1)


def test_sampled_answers_are_items_inside_canonical_tags(model, constraint):
    torch.manual_seed(0)
    _, completions, _ = generate(model, constraint, 64)
    finished = [row[: row.index(EOS)] for row in completions.tolist() if EOS in row]
    assert len(finished) > 50
    for row in finished:
        answer = row[row.index(THINK_END) + 1 :]
        assert answer[:2] == PREFIX
        assert answer[-3:] == SUFFIX
        assert constraint.trie.leaf_item(answer[2:-3]) is not None
    assert completions.max() < VOCABULARY - 10


def test_trainer_log_probs_equal_the_samplers(model, constraint):
    torch.manual_seed(1)
    prompt, completions, scores = generate(model, constraint, 32, temperature=0.8)
    sampler = scores.log_softmax(-1).gather(-1, completions[..., None])[..., 0]
    with torch.no_grad():
        logits = model(torch.cat([prompt, completions], dim=1)).logits[:, prompt.shape[1] - 1 : -1]
    logits = logits.clone()
    logits[..., THINK_END] += 6.0
    logits[..., EOS] -= 20.0
    logits[..., VOCABULARY - 10 :] = float("-inf")
    masks = constraint.masks(completions.numpy())
    trainer = constrained_log_probs(logits / 0.8, completions, masks, constraint)
    real = (completions == EOS).long().cumsum(1) <= (completions == EOS).long()  # up to and including the end
    assert masks.constrained.sum() > 30
    torch.testing.assert_close(trainer[real], sampler[real], atol=1e-4, rtol=1e-5)


def test_forced_positions_have_log_prob_zero_and_no_gradient(constraint):
    completions = torch.tensor([[5, THINK_END, 13, 14, 21, 30, 15, 16, 17, EOS]])
    logits = torch.randn(1, 10, VOCABULARY, requires_grad=True)
    masks = constraint.masks(completions.numpy())
    log_probs = constrained_log_probs(logits, completions, masks, constraint)
    log_probs.sum().backward()
    assert log_probs[0, [2, 3, 5, 6, 7, 8, 9]].tolist() == [0.0] * 7
    assert logits.grad is not None
    moved = logits.grad[0].abs().sum(-1) > 0
    assert moved.tolist() == [True, True, False, False, True, False, False, False, False, False]
    assert torch.nonzero(logits.grad[0, 4])[:, 0].tolist() == [20, 21, 22]


def test_trie_positions_are_renormalised_over_children_by_hand(constraint):
    completions = torch.tensor([[THINK_END, 13, 14, 21]])
    logits = torch.zeros(1, 4, VOCABULARY)
    logits[0, 3, 20], logits[0, 3, 21], logits[0, 3, 22] = np.log(1.0), np.log(2.0), np.log(5.0)
    log_probs = constrained_log_probs(logits, completions, constraint.masks(completions.numpy()), constraint)
    assert log_probs[0, 3].item() == pytest.approx(np.log(2 / 8))
    assert log_probs[0, 0].item() == pytest.approx(-np.log(VOCABULARY))


def test_free_rows_keep_their_scores_and_the_input_is_not_changed(constraint):
    scores = torch.randn(2, VOCABULARY)
    before = scores.clone()
    ids = torch.tensor([[1, 5, 5], [1, 5, THINK_END]])
    out = TrieLogitsProcessor(constraint, 1)(ids, scores)
    assert torch.equal(scores, before)
    assert torch.equal(out[0], before[0])
    assert torch.isfinite(out[1]).nonzero()[:, 0].tolist() == [13]


def test_answers_that_end_with_the_end_token_themselves_are_followed_by_padding_only():
    trie = Trie.from_codes([[20, 30, EOS], [20, EOS, -1], [21, EOS, -1]])
    constraint = AnswerConstraint(trie, (), (), (), EOS)
    assert walk(constraint, []) == [20, 21]
    assert walk(constraint, [20]) == [EOS, 30]
    assert walk(constraint, [20, EOS]) == walk(constraint, [20, EOS, PAD, PAD]) == [EOS]
    masks = constraint.masks([[20, EOS, PAD], [21, EOS, PAD]])
    assert masks.forced.tolist() == [[False, False, True], [False, True, True]]
