import math

import pytest
import torch

from casa.method import SafetyAttention, SafetyRisk, conditional_loss, gate_logits
from casa.method.objective import IGNORED


def risk_of(*values: float) -> SafetyRisk:
    v = torch.tensor(values)
    return SafetyRisk(v, 1 - v, v[:, None], torch.stack([1 - v, v], -1)[:, None])


def test_loss_equals_the_formula_computed_by_hand():
    """One benign and one malicious example, beta 3, vocabulary of two with known probabilities."""
    gated = torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    response = torch.tensor([[[0.0, 0.0], [1.0, 0.0]], [[0.0, 2.0], [9.0, 9.0]]])
    ids = torch.tensor([[0, 0], [1, IGNORED]])
    loss = conditional_loss(gated, torch.tensor([False, True]), response, ids, risk_of(0.2, 0.9), 3.0, 0.5)
    verdict = 0.25 * math.log(1 + math.exp(-2)) + 0.75 * math.log(2)
    answers = 0.25 * (math.log(2) + math.log(1 + math.exp(-1))) / 2 + 0.75 * math.log(1 + math.exp(-2))
    risk = 0.25 * -math.log(0.8) + 0.75 * -math.log(0.9)
    assert loss.verdict.item() == pytest.approx(verdict, rel=1e-5)
    assert loss.response.item() == pytest.approx(answers, rel=1e-5)
    assert loss.risk.item() == pytest.approx(risk, rel=1e-5)
    assert loss.total.item() == pytest.approx(verdict + answers + 0.5 * risk, rel=1e-5)


def test_the_loss_of_v_s_is_the_mean_over_heads_so_that_a_constant_head_is_still_trained():
    module = SafetyAttention(8, 2, 4)
    scores = torch.zeros(1, 2, 3, requires_grad=True)
    with torch.no_grad():
        module.bias.copy_(torch.tensor([0.0, -8.0]))
    risk = module.pool(scores, torch.ones(1, 3))
    ids = torch.full((1, 1), IGNORED)
    loss = conditional_loss(torch.zeros(1, 2), torch.tensor([True]), torch.zeros(1, 1, 2), ids, risk)
    by_hand = (math.log(2) + math.log(1 + math.exp(8))) / 2
    assert loss.risk.item() == pytest.approx(by_hand, rel=1e-4)
    loss.risk.backward()
    assert module.bias.grad[1] / module.bias.grad[0] == pytest.approx(
        2.0, rel=1e-3
    )  # 1 - sigmoid(-8) against 1 - sigmoid(0)


def test_ignored_positions_do_not_count():
    gated, malicious, risk = torch.zeros(1, 2), torch.tensor([False]), risk_of(0.5)
    short = conditional_loss(gated, malicious, torch.randn(1, 1, 5), torch.tensor([[2]]), risk)
    logits = torch.cat([torch.zeros(1, 1, 5), torch.randn(1, 3, 5)], 1)
    padded = conditional_loss(gated, malicious, logits, torch.tensor([[2, *[IGNORED] * 3]]), risk)
    assert padded.response.item() == pytest.approx(math.log(5), rel=1e-5)
    assert short.response.isfinite()


def test_an_example_without_a_response_leaves_the_others_mean_alone():
    gated, risk = torch.zeros(2, 2), risk_of(0.5, 0.5)
    logits, ids = torch.zeros(2, 1, 5), torch.tensor([[2], [IGNORED]])
    both = conditional_loss(gated, torch.tensor([False, True]), logits, ids, risk)
    assert both.response.item() == pytest.approx(math.log(5), rel=1e-5)
    none = conditional_loss(gated, torch.tensor([False, True]), logits[:, :0], ids[:, :0], risk)
    assert none.response.item() == 0.0
    assert none.total.item() == pytest.approx(none.verdict.item() + none.risk.item(), rel=1e-5)


@pytest.mark.parametrize("gate", ["log", "scale"])
def test_the_gate_trains_the_attention_and_through_the_logits_the_model(gate):
    """A linear map stands for the model: H reaches the loss through the logits only."""
    torch.manual_seed(0)
    attention = SafetyAttention(8, 2, 4)
    attention.set_query(torch.randn(1, 8))
    embedded = torch.randn(2, 5, 8)
    model, head = torch.nn.Linear(8, 8), torch.nn.Linear(8, 2)
    hidden = model(embedded)
    logits = head(hidden[:, -1]).abs()
    gated = gate_logits(logits[:, 0], logits[:, 1], attention(hidden, torch.ones(2, 5)), gate)
    loss = torch.nn.functional.cross_entropy(gated, torch.tensor([0, 1]))
    loss.backward()
    assert attention.key.weight.grad.abs().sum() > 0
    through_both = model.weight.grad.clone()

    model.weight.grad = None
    frozen = attention(hidden.detach(), torch.ones(2, 5))
    logits = head(model(embedded)[:, -1]).abs()
    gated = gate_logits(logits[:, 0], logits[:, 1], frozen, gate)
    torch.nn.functional.cross_entropy(gated, torch.tensor([0, 1])).backward()
    assert model.weight.grad.abs().sum() > 0
    assert torch.allclose(through_both, model.weight.grad, atol=1e-7)
