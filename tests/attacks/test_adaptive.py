"""Adaptive attacks follow the gradient of the real decision, and report what the model really says."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from casa.attacks.adaptive import _token_gradient, gated_margin, margin_of, suffix_attack
from tiny import user


@pytest.fixture
def casa(tiny_casa):
    """Calls everything unsafe, so that attacks go on."""
    tiny_casa.config = replace(tiny_casa.config, threshold=1e-6)
    return tiny_casa


def test_the_margin_is_that_of_the_verdict(casa):
    inputs = casa.chat.prompt(user("How are you?")).inputs
    assert margin_of(casa.classify(user("How are you?")).p_unsafe) == pytest.approx(
        gated_margin(casa, inputs).item(), abs=1e-4
    )


def test_gradients_reach_the_prompt_through_v_s_too(casa):
    ids = casa.chat.prompt(user("How are you?")).inputs["input_ids"][0].tolist()
    whole = _token_gradient(casa, ids, 0, len(ids))
    casa.config = replace(casa.config, gate="none")
    logits_only = _token_gradient(casa, ids, 0, len(ids))
    assert whole.abs().max() > 0
    assert not torch.allclose(whole, logits_only)


def test_a_suffix_never_gets_worse_and_is_what_the_model_judges(casa):
    attempts = list(suffix_attack(casa, "How are you?", steps=3, candidates=8, top_k=8))
    assert [attempt.step for attempt in attempts] == [0, 1, 2, 3]
    assert all(later.p_unsafe <= earlier.p_unsafe for earlier, later in pairwise(attempts))
    for attempt in attempts:
        assert attempt.text.startswith("How are you?") and attempt.text.isascii()
        assert casa.classify(user(attempt.text)).p_unsafe == pytest.approx(attempt.p_unsafe, abs=1e-5)
    assert attempts == list(suffix_attack(casa, "How are you?", steps=3, candidates=8, top_k=8))


def test_an_attack_ends_when_the_verdict_is_safe(tiny_casa):
    tiny_casa.config = replace(tiny_casa.config, threshold=1.0)
    assert len(list(suffix_attack(tiny_casa, "hi", steps=5))) == 1
