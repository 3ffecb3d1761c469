"""The logits processor under both of vLLM's model runners, without an engine."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("vllm")

from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate, MoveDirectionality
from vllm.v1.sample.logits_processor import LogitsProcessor as V1Processor
from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as V2Processor

from casa.errors import CheckpointError
from casa.serving.vllm.processor import SafetyTokenProcessor
from casa.serving.vllm.requests import PREFILL

from .parts import ROWS, SAFE, STOP, TURN, UNSAFE, served

CPU = torch.device("cpu")


def engine_config(content=None):
    content = served().as_dict() if content is None else content
    return SimpleNamespace(model_config=SimpleNamespace(hf_config=SimpleNamespace(casa=content)))


def update(added=(), removed=(), moved=()):
    return BatchUpdate(batch_size=4, removed=list(removed), added=list(added), moved=list(moved))


def params(prefill=()):
    return SamplingParams(extra_args={PREFILL: list(prefill)} if prefill else None)


def added(row, outputs, prompt=(1, 2), prefill=()):
    return row, params(prefill), None if prompt is None else list(prompt), outputs


def chosen(processor, rows, ctx=None):
    """For each row the safety token that was forced, or None; every row looks safe."""
    logits = torch.zeros(rows, ROWS)
    logits[:, SAFE] = 9.0
    after = processor.apply(logits, ctx) if ctx else processor.apply(logits)
    left = [row.isfinite().nonzero().flatten().tolist() for row in after]
    return [ids[0] if len(ids) == 1 else None for ids in left]


@pytest.fixture
def v1():
    return SafetyTokenProcessor(engine_config(), CPU, False)


def test_both_runners_take_the_class():
    assert issubclass(SafetyTokenProcessor, V1Processor)
    assert issubclass(SafetyTokenProcessor, V2Processor)


def test_a_verdict_comes_first_and_once(v1):
    outputs = []
    v1.update_state(update([added(0, outputs)]))
    assert chosen(v1, 1) == [SAFE]
    outputs.append(SAFE)
    v1.update_state(None)
    assert chosen(v1, 1) == [None]


def test_a_resumed_request_gets_no_second_verdict(v1):
    v1.update_state(update([added(0, [SAFE, 4])]))
    assert chosen(v1, 1) == [None]


def test_rows_keep_their_state_when_they_move(v1):
    v1.update_state(update([added(0, []), added(1, [SAFE]), added(2, [], prompt=[UNSAFE])]))
    assert chosen(v1, 3) == [SAFE, None, UNSAFE]
    v1.update_state(update(removed=[0], moved=[(2, 0, MoveDirectionality.UNIDIRECTIONAL)]))
    assert chosen(v1, 2) == [UNSAFE, None]
    v1.update_state(update(moved=[(0, 1, MoveDirectionality.SWAP)]))
    assert chosen(v1, 2) == [None, UNSAFE]


def test_an_unknown_row_and_an_unknown_prompt_are_unsafe(v1):
    v1.update_state(update([added(1, [], prompt=None)]))
    assert chosen(v1, 2) == [UNSAFE, UNSAFE]


@pytest.mark.parametrize("token", [SAFE, UNSAFE])
def test_a_safety_token_in_the_prompt_is_unsafe(v1, token):
    v1.update_state(update([added(0, [], prompt=[1, token, 3])]))
    assert chosen(v1, 1) == [UNSAFE]


def test_a_given_beginning_follows_the_safe_token_id_by_id(v1):
    safe, unsafe = [], []
    v1.update_state(update([added(0, safe, prefill=[4, 5]), added(1, unsafe, prompt=[UNSAFE], prefill=[4, 5])]))
    found = []
    for _ in range(4):
        found.append(chosen(v1, 2))
        safe.append(found[-1][0] or 3)
        unsafe.append(found[-1][1] or 3)
    assert found == [[SAFE, UNSAFE], [4, None], [5, None], [None, None]]


@pytest.mark.parametrize("control", [TURN, UNSAFE, STOP])
def test_a_given_beginning_ends_the_answer_at_a_control_token(v1, control):
    outputs = [SAFE]
    v1.update_state(update([added(0, outputs, prefill=[4, control, 5])]))
    found = []
    for _ in range(2):
        found += chosen(v1, 1)
        outputs.append(found[-1])
    assert found == [4, STOP]


def test_a_model_without_casa_is_refused():
    with pytest.raises(CheckpointError):
        SafetyTokenProcessor(engine_config(content={}), CPU, False)


def test_the_second_runner_decides_at_the_end_of_the_prompt_and_gives_a_beginning_after_the_safe_token():
    prompts = [[1, 2, 3], [1, 2], [1, SAFE, 2]]
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    tokens = torch.zeros(3, 8, dtype=torch.int32)
    for slot, prompt in enumerate(prompts):
        tokens[slot, : len(prompt)] = torch.tensor(prompt)
    requests = SimpleNamespace(
        device=CPU,
        max_num_reqs=3,
        all_token_ids=SimpleNamespace(gpu=tokens),
        prompt_len=SimpleNamespace(gpu=lengths, np=lengths.numpy().astype(np.int32)),
    )
    v2 = SafetyTokenProcessor(engine_config(), requests)
    assert all(v2.add_request(slot, params(prefill=[4, 5, TURN, 3] * (slot != 1))) for slot in range(3))
    v2.apply_staged_writes()
    prefill = SimpleNamespace(expanded_idx_mapping=torch.tensor([2, 0, 1]), pos=torch.tensor([2, 2, 1]))
    assert chosen(v2, 3, prefill) == [UNSAFE, SAFE, SAFE]
    tokens[[0, 1, 2], lengths] = torch.tensor([SAFE, SAFE, UNSAFE], dtype=torch.int32)
    slots = torch.tensor([0, 1, 2])
    steps = [SimpleNamespace(expanded_idx_mapping=slots, pos=lengths + i) for i in range(4)]
    expected = [[given, None, None] for given in (4, 5, STOP, None)]
    assert [chosen(v2, 3, step) for step in steps] == expected


def test_steering_requests_are_refused_before_they_start():
    with pytest.raises(ValueError, match="logit_bias"):
        SafetyTokenProcessor.validate_params(SamplingParams(logit_bias={SAFE: 100.0}))
    SafetyTokenProcessor.validate_params(SamplingParams(temperature=2.0, top_p=0.1, n=4))
