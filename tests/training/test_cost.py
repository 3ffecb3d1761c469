"""Properties of the estimates that hold whatever the model."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.training.architecture import Architecture
from casa.training.cost import (
    GPUS,
    Work,
    forward_flops,
    layer_activations,
    other_hours,
    step_memory,
    training_flops,
    training_hours,
)

# A Llama-like decoder of 7 billion weights in bfloat16, LoRA of rank 16 on its seven projections.
SHAPE = Architecture(
    model_class="X", parameters=7_000_000_000,
    weight_bytes={"none": 14_000_000_000, "4bit": 4_500_000_000}, value_bytes=2, lora_layers={"q_proj": 32},
    lora_parameters=40_000_000, token_parameters=16_384, attention_parameters=8_000_000, active_parameters=6_500_000_000,
    head_parameters=32_000 * 4096, layers=32, hidden_size=4096, attention_width=4096, mlp_width=11008, routed=0,
    lora_inputs=32 * (6 * 4096 + 11008), norm_inputs=32 * 2 * 4096,
)  # fmt: skip
WORK = Work(
    steps=100, tokens=400_000, answer_positions=50_000, rows=8, row_tokens=500, row_answer=60, own_answers=1000,
    own_answer_tokens=64, prompt_tokens=120.0, fitted=500,
)  # fmt: skip
COUNTS = st.integers(1, 10**6)


@settings(deadline=None)
@given(factor=st.integers(2, 64))
def test_activations_grow_with_the_batch_and_weights_do_not(factor):
    small, large = (step_memory(SHAPE, replace(WORK, rows=rows), False) for rows in (1, factor))
    assert large.activations == pytest.approx(factor * small.activations)
    assert large.logits == pytest.approx(factor * small.logits)
    assert (large.weights, large.adapters, large.token_rows) == (small.weights, small.adapters, small.token_rows)


@settings(deadline=None)
@given(rows=st.integers(1, 64), tokens=st.integers(1, 4096))
def test_checkpointing_takes_less_memory_and_more_arithmetic(rows, tokens):
    work = replace(WORK, rows=rows, row_tokens=tokens)
    assert step_memory(SHAPE, work, True).total < step_memory(SHAPE, work, False).total
    assert training_flops(SHAPE, work, True) > training_flops(SHAPE, work, False)


def test_four_bits_take_less_memory_and_more_time():
    full, packed = step_memory(SHAPE, WORK, True), step_memory(SHAPE, WORK, True, "4bit")
    assert full.total - packed.total == pytest.approx(1.1 * 9.5e9)
    assert training_hours(SHAPE, WORK, GPUS[0], True, "4bit") > training_hours(SHAPE, WORK, GPUS[0], True)


def test_training_a_frozen_model_takes_about_four_operations_a_weight_and_token():
    """Six less the two for the weights' own gradient, which frozen weights have none of."""
    work = replace(WORK, answer_positions=0, row_tokens=1)
    assert training_flops(SHAPE, work, False) / work.tokens == pytest.approx(4 * SHAPE.active_parameters, rel=0.02)
    assert forward_flops(SHAPE, 1) == pytest.approx(2 * SHAPE.active_parameters, rel=0.01)


def test_a_layer_without_checkpointing_keeps_tens_of_bytes_for_each_of_its_width():
    """Korthikanti et al. 2022, table 2, count 34 for a layer that trains whole, in 16 bits, with an MLP of 4 times the width."""
    assert 30 < layer_activations(SHAPE) / (SHAPE.layers * SHAPE.hidden_size) < 60


def test_a_faster_gpu_takes_less_time_and_a_larger_one_fits_what_a_smaller_one_does():
    for slower in GPUS:
        for faster in GPUS:
            if faster.flops >= slower.flops and faster.bandwidth >= slower.bandwidth:
                for hours in (training_hours(SHAPE, WORK, gpu, True) for gpu in (faster, slower)):
                    assert hours > 0
                assert other_hours(SHAPE, WORK, faster) <= other_hours(SHAPE, WORK, slower)
                assert training_hours(SHAPE, WORK, faster, True) <= training_hours(SHAPE, WORK, slower, True)
    memory = step_memory(SHAPE, WORK, False)
    fitting = [gpu.memory for gpu in GPUS if memory.fits(gpu)]
    assert all(gpu.memory < min(fitting) for gpu in GPUS if not memory.fits(gpu))
