"""Facts about sigmoid attention, against a worked example."""

import math

import pytest
import torch

from llmrec.grasp.attention import attention_weights, sigmoid_attention

LN3 = math.log(3.0)


def test_the_example_worked_by_hand():
    # d = 4, so scores are divided by 2: q.k1 = 2 ln 3 -> ln 3, sigmoid 3/4; q.k2 = 0 -> 1/2.
    query = torch.tensor([[[2.0, 0.0, 0.0, 0.0]]])
    key = torch.tensor([[[LN3, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]])
    value = torch.tensor([[[4.0, 0.0], [0.0, 2.0]]])
    out = sigmoid_attention(query, key, value, 0.0)
    torch.testing.assert_close(out, torch.tensor([[[3.0, 1.0]]]))
    # b = -ln 3: scores 0 and -ln 3, weights 1/2 and 1/4
    out = sigmoid_attention(query, key, value, -LN3)
    torch.testing.assert_close(out, torch.tensor([[[2.0, 0.5]]]))


def test_the_starting_bias_is_minus_log_of_the_visible_keys():
    # all scores 0, n keys visible: each weight is sigmoid(-log n) = 1 / (n + 1)
    query, key = torch.zeros(1, 2, 4), torch.zeros(1, 3, 4)
    mask = torch.tensor([[[True, True, True], [True, False, False]]])
    weights = attention_weights(query, key, mask=mask)
    torch.testing.assert_close(weights, torch.tensor([[[0.25, 0.25, 0.25], [0.5, 0.0, 0.0]]]))


def test_softmax_must_spend_its_attention_and_sigmoid_need_not():
    query, key = torch.full((1, 1, 4), 3.0), torch.full((1, 2, 4), -3.0)
    assert attention_weights(query, key, softmax=True).sum().item() == pytest.approx(1.0)
    assert attention_weights(query, key).sum().item() < 1e-4


def test_softmax_equals_torch():
    torch.manual_seed(0)
    query, key, value = torch.randn(2, 3, 8), torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(sigmoid_attention(query, key, value, softmax=True), expected)


@pytest.mark.parametrize("softmax", [False, True])
def test_a_query_that_sees_nothing_gets_zero_and_finite_gradients(softmax):
    query = torch.randn(1, 1, 4, requires_grad=True)
    key, value = torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    out = sigmoid_attention(query, key, value, mask=torch.zeros(1, 1, 2, dtype=torch.bool), softmax=softmax)
    assert out.abs().sum().item() == 0.0
    out.sum().backward()
    assert torch.isfinite(query.grad).all()


def test_the_gradient_is_that_of_finite_differences():
    torch.manual_seed(0)
    parts = [torch.randn(1, n, 3, dtype=torch.float64, requires_grad=True) for n in (2, 3, 3)]
    assert torch.autograd.gradcheck(sigmoid_attention, tuple(parts))


def test_one_query_under_several_masks_equals_as_many_equal_queries():
    torch.manual_seed(0)
    query, key, value = torch.randn(2, 1, 4), torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    mask = torch.ones(3, 3, dtype=torch.bool).tril()
    one = sigmoid_attention(query, key, value, mask=mask)
    torch.testing.assert_close(one, sigmoid_attention(query.expand(-1, 3, -1), key, value, mask=mask))


def test_shapes_that_do_not_fit_are_shown():
    with pytest.raises(ValueError, match=r"query \(1, 1, 4\), key \(1, 2, 3\)"):
        sigmoid_attention(torch.zeros(1, 1, 4), torch.zeros(1, 2, 3), torch.zeros(1, 2, 3))
