"""Requests that could move the verdict, or show what the model would say without it."""

from __future__ import annotations

from typing import Any

# Sampling parameters that act on logits before the verdict is taken from them, or force tokens after it.
_STEERING = (
    *("logit_bias", "allowed_token_ids", "bad_words"),
    *("trace_decode_token_ids", "thinking_token_budget"),
)
_MOST_NAMED_IDS = 2  # as many as there are safety tokens
PREFILL = "casa_prefill"  # key of SamplingParams.extra_args
MOST_PREFILL_IDS = 1024
_INT32 = 2**31


def require_harmless(params: Any, on_cpu: bool) -> None:
    """Refuses sampling parameters that steer the verdict, scores of tokens not chosen, malformed prefills, and what ends vLLM.

    With the scores of other tokens a client could write, token by token, the answer that was not given (beam search does so).
    The scores of up to two named tokens may be asked for: those of the safety tokens are p_unsafe.

    Args:
        params: vLLM's SamplingParams.
        on_cpu: vLLM computes on a CPU, where it cannot wind a seeded generator back after a part of a prompt: its process ends.

    Raises:
        ValueError: names the parameter and what to do.
    """
    if steering := [
        name for name in _STEERING if getattr(params, name, None) is not None and getattr(params, name) != []
    ]:
        raise ValueError(f"this model decides on safety by itself; leave out {', '.join(steering)}")
    named = params.logprob_token_ids or []
    if len(named) > _MOST_NAMED_IDS or (params.logprobs and not named):
        raise ValueError(
            "this model shows no scores of tokens that were not chosen: leave out top_logprobs and beam search, or name the two "
            "safety tokens in logprob_token_ids"
        )
    if params.prompt_logprobs or getattr(params, "prompt_logprob_token_ids", None) is not None:
        raise ValueError("this model shows no scores of prompt tokens; leave out prompt_logprobs and echo")
    ids = prefill_ids(params)
    if not isinstance(ids, list) or not all(isinstance(token, int) and 0 <= token < _INT32 for token in ids):
        raise ValueError(f"{PREFILL} is a list of token ids")
    if len(ids) > MOST_PREFILL_IDS:
        raise ValueError(f"a given beginning has at most {MOST_PREFILL_IDS} tokens; this one has {len(ids)}")
    if on_cpu and params.seed is not None and params.temperature > 0:
        raise ValueError("on a CPU vLLM draws no answers with a seed: leave seed out, or set temperature to 0")


def prefill_ids(params: Any) -> list[int]:
    """A given beginning of the answer, which follows the safe token up to its first control token, and never the unsafe one.

    Args:
        params: vLLM's SamplingParams.
    """
    ids: list[int] = (params.extra_args or {}).get(PREFILL, [])
    return ids
