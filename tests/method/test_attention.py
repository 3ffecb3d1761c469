import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.method import SafetyAttention


def attention(pooling="softmax", tau=1.0, heads=2, width=4, hidden=8, seed=0) -> SafetyAttention:
    torch.manual_seed(seed)
    module = SafetyAttention(hidden, heads, width, pooling, tau)
    module.set_query(torch.randn(1, hidden))
    with torch.no_grad():
        module.bias.copy_(torch.tensor([0.3, -0.2])[:heads])
        module.key.weight.mul_(4)
        module.query.weight.mul_(4)
    return module


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_risk_equals_the_formula_computed_by_hand():
    """One head, two tokens, scores 1 and 3, b = -1, tau = 2, written out with plain arithmetic."""
    module = SafetyAttention(8, 1, 4, tau=2.0)
    with torch.no_grad():
        module.bias.fill_(-1.0)
    scores = torch.tensor([[[1.0, 3.0]]])
    risk = module.pool(scores, torch.ones(1, 2))
    e1, e3 = math.exp(0.5), math.exp(1.5)
    expected = (e1 * sigmoid(0.0) + e3 * sigmoid(2.0)) / (e1 + e3)
    assert risk.risk.item() == pytest.approx(expected, rel=1e-6)
    assert risk.complement.item() == pytest.approx(1 - expected, rel=1e-6)
    assert risk.attributions[0, 0].item() == pytest.approx(e1 * sigmoid(0.0) / (e1 + e3), rel=1e-6)


def test_scores_are_the_scaled_product_of_query_and_normed_key():
    module = attention(heads=1)
    hidden = torch.randn(1, 3, 8)
    normed = (hidden - hidden.mean(-1, keepdim=True)) / (hidden.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    keys = normed[0] @ module.key.weight.T
    query = module.query.weight @ module.query_embedding
    assert torch.allclose(module.scores(hidden)[0, 0], keys @ query / 2.0, atol=1e-5)


def test_the_query_is_normalised_and_frozen():
    module = attention()
    assert module.query_embedding.mean().abs() < 1e-6
    assert module.query_embedding.var(unbiased=False).item() == pytest.approx(1, abs=1e-3)
    assert "query_embedding" not in dict(module.named_parameters())


def test_one_query_is_its_normalised_state_to_the_bit():
    module, state = attention(hidden=96), torch.randn(96)
    module.set_query(state[None])
    assert torch.equal(module.query_embedding, torch.nn.functional.layer_norm(state, (96,)))


def test_the_score_of_several_queries_is_the_mean_of_each_ones():
    module, states = attention(), torch.randn(3, 8) * torch.tensor([[1.0], [5.0], [0.2]])
    hidden, scores = torch.randn(1, 6, 8), []
    for state in states:
        module.set_query(state[None])
        scores.append(module.scores(hidden))
    module.set_query(states)
    assert torch.allclose(module.scores(hidden), torch.stack(scores).mean(0), atol=1e-5)
    assert not torch.allclose(scores[0], scores[1], atol=1e-2)


@pytest.mark.parametrize(("pooling", "expected"), [("mean", 0.5 * (0.5 + sigmoid(2.0))), ("max", sigmoid(2.0))])
def test_mean_and_max_pooling(pooling, expected):
    module = SafetyAttention(8, 1, 4, pooling)
    assert module.pool(torch.tensor([[[0.0, 2.0]]]), torch.ones(1, 2)).risk.item() == pytest.approx(expected)


def test_a_high_temperature_approaches_the_mean_and_a_low_one_the_maximum():
    scores, mask = torch.tensor([[[0.0, 2.0, -1.0]]]), torch.ones(1, 3)
    hot, cold = (SafetyAttention(8, 1, 4, "softmax", tau).pool(scores, mask).risk for tau in (1e4, 1e-3))
    assert torch.allclose(hot, SafetyAttention(8, 1, 4, "mean").pool(scores, mask).risk, atol=1e-3)
    assert torch.allclose(cold, SafetyAttention(8, 1, 4, "max").pool(scores, mask).risk, atol=1e-3)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(0, 9), st.sampled_from(["softmax", "mean", "max"]), st.integers(0, 10**6))
def test_risk_ignores_left_padding_and_the_rest_of_the_batch(length, padding, pooling, seed):
    torch.manual_seed(seed)
    module = attention(pooling)
    hidden, garbage = torch.randn(1, length, 8), torch.randn(1, padding, 8) * 100
    other = torch.randn(1, padding + length, 8)
    alone = module(hidden, torch.ones(1, length))
    mask = torch.cat([torch.zeros(1, padding), torch.ones(1, length)], 1)
    batch = module(torch.cat([torch.cat([garbage, hidden], 1), other]), torch.cat([mask, torch.ones_like(mask)]))
    assert torch.allclose(alone.risk, batch.risk[:1], atol=1e-6)
    assert torch.allclose(alone.complement, batch.complement[:1], atol=1e-6)
    assert torch.equal(batch.attributions[0, :padding], torch.zeros(padding))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.floats(0.1, 30), st.integers(0, 10**6))
def test_risk_lies_in_the_unit_interval_and_attributions_sum_to_it(length, scale, seed):
    torch.manual_seed(seed)
    risk = attention()(torch.randn(2, length, 8) * scale, torch.ones(2, length))
    assert ((risk.risk >= 0) & (risk.risk <= 1)).all()
    assert torch.allclose(risk.risk + risk.complement, torch.ones(2), atol=1e-5)
    assert torch.allclose(risk.attributions.sum(-1), risk.risk, atol=1e-6)
    assert torch.allclose(risk.heads.mean(1), torch.stack([risk.complement, risk.risk], -1), atol=1e-6)


def test_complement_keeps_its_precision_where_the_risk_is_near_one():
    module = SafetyAttention(8, 1, 4)
    risk = module.pool(torch.full((1, 1, 3), 30.0), torch.ones(1, 3))
    assert risk.risk.item() == 1.0
    assert risk.complement.item() == pytest.approx(math.exp(-30), rel=1e-4)


def test_no_gradient_reaches_the_hidden_states_but_the_parameters_get_theirs():
    module = attention()
    hidden = torch.randn(2, 5, 8, requires_grad=True)
    module(hidden, torch.ones(2, 5)).risk.sum().backward()
    assert hidden.grad is None
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_it_computes_in_float32_whatever_the_type_of_the_hidden_states():
    module = attention()
    hidden = torch.randn(1, 5, 8).bfloat16()
    assert module.scores(hidden).dtype == torch.float32
    assert torch.equal(module.scores(hidden), module.scores(hidden.float()))


def test_a_fresh_start_keeps_the_query_and_is_a_function_of_the_seed():
    torch.manual_seed(0)
    module = SafetyAttention(8, 2, 4)
    start = {name: value.clone() for name, value in module.state_dict().items()}
    module.set_query(torch.randn(1, 8))
    query = module.query_embedding.clone()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1.0)
    torch.manual_seed(0)
    module.reset_parameters()
    assert torch.equal(module.query_embedding, query)
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, start[name]), name
