"""Two scores tell p_unsafe and v_s at once, and the decision is not moved by it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.method.gate import decide
from casa.serving.vllm.scores import read_scores, with_risk

LOGITS = st.floats(-60, 60, width=32)
RISKS = st.floats(1e-5, 1 - 1e-5)
BAD = st.sampled_from([math.nan, math.inf, -math.inf])


def told(safe, unsafe, risk):
    return with_risk(torch.tensor([[safe, unsafe]]), torch.tensor([[1 - risk, risk]]))


@settings(deadline=None)
@given(LOGITS, LOGITS, RISKS)
def test_both_numbers_come_back(safe, unsafe, risk):
    found = read_scores(*told(safe, unsafe, risk)[0].tolist())
    assert found.p_unsafe == pytest.approx(torch.tensor([safe, unsafe]).softmax(0)[1].item(), abs=1e-4)
    assert found.risk == pytest.approx(risk, abs=1e-4)
    assert not found.failed


@settings(deadline=None)
@given(LOGITS, LOGITS, RISKS, st.floats(0.01, 1.0))
def test_the_decision_is_that_of_the_gated_logits(safe, unsafe, risk, threshold):
    gated = torch.tensor([[safe, unsafe]])
    before, after = decide(gated, threshold), decide(told(safe, unsafe, risk), threshold)
    assert after.p_unsafe.item() == pytest.approx(before.p_unsafe.item(), abs=1e-4)
    if abs(before.p_unsafe.item() - threshold) > 1e-4:
        assert torch.equal(after.unsafe, before.unsafe)


@settings(deadline=None)
@given(BAD, LOGITS, st.permutations([0, 1]))
def test_a_logit_that_is_not_finite_is_told_as_a_failure(bad, other, order):
    values = [[bad, other][i] for i in order]
    found = read_scores(*told(*values, 0.5)[0].tolist())
    assert found.failed and found.p_unsafe == 1 and math.isnan(found.risk)


@settings(deadline=None)
@given(LOGITS, LOGITS)
def test_a_weight_that_is_not_a_number_is_told_as_a_failure(safe, unsafe):
    assert read_scores(*told(safe, unsafe, math.nan)[0].tolist()).failed
