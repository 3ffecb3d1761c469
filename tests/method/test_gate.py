import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.method import SafetyRisk, decide, gate_logits

LOGITS = st.floats(-50, 50, allow_nan=False)
WEIGHTS = st.floats(0, 1, allow_nan=False)


def risk_of(value: float) -> SafetyRisk:
    v = torch.tensor([value])
    return SafetyRisk(v, 1 - v, v[:, None], torch.stack([1 - v, v], -1)[:, None])


def p_unsafe(safe: float, unsafe: float, v: float, gate: str) -> float:
    return decide(gate_logits(torch.tensor([safe]), torch.tensor([unsafe]), risk_of(v), gate), 0.5).p_unsafe.item()


def test_log_gate_equals_the_formula_computed_by_hand():
    """p = v e^zu / (v e^zu + (1 - v) e^zs) for zs = 1, zu = 0.5, v = 0.8."""
    numerator = 0.8 * math.exp(0.5)
    assert p_unsafe(1.0, 0.5, 0.8, "log") == pytest.approx(numerator / (numerator + 0.2 * math.exp(1.0)), rel=1e-6)


def test_scale_gate_multiplies():
    gated = gate_logits(torch.tensor([4.0]), torch.tensor([2.0]), risk_of(0.75), "scale")
    assert gated.tolist() == [[1.0, 1.5]]


def test_none_gate_leaves_the_logits_alone():
    assert gate_logits(torch.tensor([4.0]), torch.tensor([2.0]), risk_of(0.9), "none").tolist() == [[4.0, 2.0]]


def test_scale_misjudges_negative_logits_and_log_does_not():
    """Equal negative logits: a certain v_s must raise p_unsafe, but `scale` lowers it."""
    with pytest.warns(UserWarning, match="negative"):
        assert p_unsafe(-5.0, -5.0, 0.99, "scale") < 0.5
    assert p_unsafe(-5.0, -5.0, 0.99, "log") > 0.5
    assert p_unsafe(5.0, 5.0, 0.99, "scale") > 0.5


@settings(max_examples=200, deadline=None)
@given(LOGITS, LOGITS, WEIGHTS, WEIGHTS)
def test_log_gate_never_falls_as_the_risk_rises(safe, unsafe, a, b):
    low, high = sorted((a, b))
    assert p_unsafe(safe, unsafe, low, "log") <= p_unsafe(safe, unsafe, high, "log") + 1e-6


@settings(max_examples=200, deadline=None)
@given(LOGITS, LOGITS, WEIGHTS, st.sampled_from(["log", "none"]), st.floats(0.01, 1))
def test_a_decision_on_finite_values_follows_the_threshold(safe, unsafe, v, gate, threshold):
    decision = decide(gate_logits(torch.tensor([safe]), torch.tensor([unsafe]), risk_of(v), gate), threshold)
    assert 0 <= decision.p_unsafe.item() <= 1
    assert decision.unsafe.item() == (decision.p_unsafe.item() >= threshold)
    assert not decision.failed.item()


@pytest.mark.parametrize(
    ("place", "bad"),
    [*((place, bad) for place in ("safe", "unsafe") for bad in (math.nan, math.inf, -math.inf)), ("risk", math.nan)],
)
def test_a_value_that_is_not_finite_is_decided_unsafe(place, bad):
    values = {"safe": 1.0, "unsafe": 1.0, "risk": 0.1, place: bad}
    gated = gate_logits(
        torch.tensor([values["safe"]]), torch.tensor([values["unsafe"]]), risk_of(values["risk"]), "log"
    )
    decision = decide(gated, 1.0)
    assert decision.unsafe.item()
    assert decision.failed.item()
    assert decision.p_unsafe.item() == 1.0


def test_bfloat16_logits_are_gated_in_float32():
    gated = gate_logits(torch.tensor([20.0]).bfloat16(), torch.tensor([20.0]).bfloat16(), risk_of(0.51), "log")
    assert gated.dtype == torch.float32
    assert decide(gated, 0.5).p_unsafe.item() == pytest.approx(0.51, abs=1e-4)
