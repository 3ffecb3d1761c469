"""Requests that could steer the verdict, or show what was not chosen, are refused."""

from types import SimpleNamespace

import pytest

from casa.serving.vllm.requests import MOST_PREFILL_IDS, PREFILL, prefill_ids, require_harmless

ORDINARY = {
    "logit_bias": None,
    "allowed_token_ids": None,
    "bad_words": [],
    "trace_decode_token_ids": None,
    "thinking_token_budget": None,
    "logprobs": None,
    "logprob_token_ids": None,
    "prompt_logprobs": None,
    "prompt_logprob_token_ids": None,
    "extra_args": None,
    "seed": None,
    "temperature": 1.0,
}


def params(**given):
    return SimpleNamespace(**{**ORDINARY, **given})


@pytest.mark.parametrize(
    "harmless", [{}, {"logprobs": 0}, {"logprob_token_ids": [6, 7]}, {"logprobs": 2, "logprob_token_ids": [6, 7]}]
)
def test_ordinary_requests_pass(harmless):
    require_harmless(params(**harmless), on_cpu=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("logit_bias", {6: 100.0}),
        ("logit_bias", {}),
        ("allowed_token_ids", [6]),
        ("bad_words", ["no"]),
        ("trace_decode_token_ids", [6, 1]),
        ("thinking_token_budget", 0),
    ],
)
def test_steering_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        require_harmless(params(**{name: value}), on_cpu=False)


@pytest.mark.parametrize("given", [{"logprobs": 1}, {"logprobs": -1}, {"logprobs": 3, "logprob_token_ids": [5, 6, 7]}])
def test_scores_of_other_tokens_are_refused(given):
    with pytest.raises(ValueError, match="logprob_token_ids"):
        require_harmless(params(**given), on_cpu=False)


@pytest.mark.parametrize(
    "given", [{"prompt_logprobs": 1}, {"prompt_logprobs": -1}, {"prompt_logprob_token_ids": [[1]]}]
)
def test_scores_of_prompt_tokens_are_refused(given):
    with pytest.raises(ValueError, match="prompt_logprobs"):
        require_harmless(params(**given), on_cpu=False)


def test_a_given_beginning_is_a_list_of_ids():
    given = params(extra_args={PREFILL: [1, 2]})
    require_harmless(given, on_cpu=False)
    assert prefill_ids(given) == [1, 2]


@pytest.mark.parametrize(
    "value", ["text", 5, [1.5], [-1], [2**31], [1] * (MOST_PREFILL_IDS + 1)], ids=lambda value: str(value)[:8]
)
def test_any_other_given_beginning_is_refused(value):
    with pytest.raises(ValueError, match=r"casa_prefill|at most"):
        require_harmless(params(extra_args={PREFILL: value}), on_cpu=False)


def test_a_seed_for_a_drawn_answer_is_refused_on_a_cpu_alone():
    require_harmless(params(seed=0), on_cpu=False)
    require_harmless(params(seed=0, temperature=0.0), on_cpu=True)
    with pytest.raises(ValueError, match="leave seed out"):
        require_harmless(params(seed=0), on_cpu=True)
