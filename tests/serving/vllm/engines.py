"""Starts engines in this process, and reads verdicts off their outputs."""

import math
import os
from contextlib import contextmanager

import pytest

os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")

WORDS = "the of to and a in is it you that he was for on are with as I his they be at one have this".split()


@contextmanager
def engine(folder, dtype="float32", **options):
    """An engine on an exported checkpoint, without compilation."""
    from vllm import LLM
    from vllm.distributed import cleanup_dist_env_and_memory

    llm = LLM(str(folder), dtype=dtype, enforce_eager=True, max_model_len=512, **options)
    yield llm
    del llm
    cleanup_dist_env_and_memory()


def p_unsafe(completion, tokens):
    """From the scores of both safety tokens at the first step."""
    scores = completion.logprobs[0]
    return 1 / (1 + math.exp(scores[tokens.safe].logprob - scores[tokens.unsafe].logprob))


def sampling(tokens, length=8, **options):
    """Sampling parameters that also ask for the scores of both safety tokens."""
    from vllm import SamplingParams

    return SamplingParams(
        **{"temperature": 0.0, "max_tokens": length, "logprob_token_ids": list(tokens), "ignore_eos": True, **options}
    )


def query(number, words=60):
    """Different words in each conversation; 60 of them make a prompt of more than one chunk, and less than one block."""
    text = " ".join(WORDS[(number * 7 + i * (number + 1)) % len(WORDS)] for i in range(words))
    return [{"role": "user", "content": text}]


def checked(output, casa, conversation, tolerance=1e-4):
    """A completion, once its verdict is that of transformers, first and once."""
    (found,) = output.outputs
    expected = casa.classify(conversation)
    assert found.token_ids[0] == (casa.tokens.unsafe if expected.label == "unsafe" else casa.tokens.safe)
    assert p_unsafe(found, casa.tokens) == pytest.approx(expected.p_unsafe, abs=tolerance)
    assert not set(casa.tokens) & set(found.token_ids[1:])
    return found
