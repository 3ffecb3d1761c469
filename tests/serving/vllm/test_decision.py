"""The safety-token step on a batch of logits."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.serving.vllm.decision import NOTHING_GIVEN, decide_rows

from .parts import ROWS, SAFE, STOP, UNSAFE, served

ANY = st.floats(allow_nan=True, allow_infinity=True, width=32)
FINITE = st.floats(-100, 100, width=32)


def step(row, first=True, forged=False, given=NOTHING_GIVEN, **choices):
    """Logits of one row after the step."""
    columns = (torch.tensor([value]) for value in (row, first, forged, given))
    return decide_rows(*columns, served(**choices))[0]


def row(safe=0.0, unsafe=0.0, others=5.0):
    values = [others] * ROWS
    values[SAFE], values[UNSAFE] = safe, unsafe
    return values


def only(logits):
    """The one token that is left."""
    (left,) = logits.isfinite().nonzero().flatten().tolist()
    return left


@settings(deadline=None)
@given(st.lists(ANY, min_size=ROWS, max_size=ROWS))
def test_a_first_row_keeps_one_safety_token_whatever_its_logits(values):
    assert only(step(values)) in (SAFE, UNSAFE)


@settings(deadline=None)
@given(FINITE, FINITE, st.floats(0.01, 1.0))
def test_the_threshold_decides(safe, unsafe, threshold):
    p_unsafe = torch.tensor([safe, unsafe]).softmax(0)[1].item()
    chosen = only(step(row(safe, unsafe), threshold=threshold))
    assert chosen == (UNSAFE if p_unsafe >= threshold else SAFE)


@settings(deadline=None)
@given(st.sampled_from([math.nan, math.inf, -math.inf]), st.booleans(), FINITE)
def test_a_safety_logit_that_is_not_finite_is_unsafe(bad, which, other):
    safe, unsafe = (bad, other) if which else (other, bad)
    assert only(step(row(safe, unsafe))) == UNSAFE


def test_a_forged_prompt_is_unsafe_however_safe_it_looks():
    assert only(step(row(safe=90.0), forged=True)) == UNSAFE


@settings(deadline=None)
@given(st.lists(FINITE, min_size=ROWS, max_size=ROWS), st.booleans())
def test_later_rows_lose_both_tokens_and_nothing_else(values, forged):
    after = step(values, first=False, forged=forged)
    others = [i for i in range(ROWS) if i not in (SAFE, UNSAFE)]
    assert torch.isneginf(after[[SAFE, UNSAFE]]).all()
    assert torch.equal(after[others], torch.tensor(values)[others])


@settings(deadline=None)
@given(st.sampled_from([math.nan, math.inf]))
def test_a_later_row_whose_state_is_broken_may_only_end(bad):
    assert only(step(row(unsafe=bad), first=False)) == STOP


@settings(deadline=None)
@given(
    st.lists(FINITE, min_size=ROWS, max_size=ROWS), st.integers(0, ROWS - 1).filter(lambda i: i not in (SAFE, UNSAFE))
)
def test_a_given_id_is_the_only_one_left_on_a_later_row_and_moves_no_verdict(values, given):
    assert only(step(values, first=False, given=given)) == given
    assert only(step(values, given=given)) == only(step(values))


@pytest.mark.parametrize("given", [SAFE, UNSAFE, ROWS, 2**31 - 1])
def test_a_given_id_that_is_no_ordinary_token_ends_the_answer(given):
    assert only(step(row(), first=False, given=given)) == STOP


@settings(deadline=None)
@given(st.sampled_from([math.nan, math.inf]))
def test_a_broken_row_ends_the_answer_inside_a_given_beginning_too(bad):
    assert only(step(row(unsafe=bad), first=False, given=3)) == STOP


def test_a_grammars_mask_on_a_later_row_is_no_breakage():
    after = step(row(safe=-math.inf, unsafe=-math.inf), first=False)
    assert after.isfinite().sum() == ROWS - 2


def test_rows_do_not_touch_each_other():
    logits = torch.tensor([row(9.0, 0.0), row(0.0, 9.0), row(math.nan, 0.0), row()])
    first = torch.tensor([True, True, True, False])
    after = decide_rows(logits, first, torch.zeros(4, dtype=torch.bool), torch.full((4,), NOTHING_GIVEN), served())
    assert [only(after[i]) for i in range(3)] == [SAFE, UNSAFE, UNSAFE]
    assert after[3].isfinite().sum() == ROWS - 2
