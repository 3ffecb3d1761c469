"""What training costs: memory, arithmetic and hours, estimated from a model's shape.

Memory of a step, in bytes, with b the bytes of an activation (2 in bfloat16, 4 in float32):

- weights: of the frozen base model, as they are loaded.
- adapters: 16 for each trained parameter: the weight, its gradient and Adam's two moments, all in float32.
- token rows: 2 b V d. PEFT makes a copy of the LM head with the two trained rows in it, and the backward pass a gradient of it.
- activations: what the backward pass needs of a layer, for each token:
  b (inputs of LoRA's layers) + 4 (inputs of the norms, in float32) + 4 b a (query, key, value and output of attention, whose
  scores are not kept) + 3 b m (both factors of the gated MLP and the activation between) + b k d (outputs of k experts), with d
  the hidden size, a the width of all heads, m that of the MLP or of all k experts. With gradient checkpointing b d for each
  layer, and all of this for one layer only.
- logits: (2 b + 12) V for each position of an answer and the safety token's: logits and their gradient, in the model's type and
  in float32, and float32's softmax.

Arithmetic, in floating-point operations a token, with N the weights of the layers that a token meets:
forward 2 N + 4 L s a (attention over s tokens, L layers); backward the same again, for the gradient goes through frozen weights
but none is computed for them, and 6 for each parameter of LoRA, forward included. Gradient checkpointing adds another forward.
The LM head counts 2 V d forward and 4 V d backward (the gradient of the copy above) at the positions that it is computed for.

The sums follow Korthikanti et al. 2022 (arXiv 2205.05198) and Kaplan et al. 2020 (arXiv 2001.08361), adapted to frozen weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from casa.model.quantization import Quantization
from casa.training.architecture import Architecture

GIB = 2**30
_TRAINED_BYTES = 16
_SPARE = 1.1  # of the sum: buffers, fragments
_CONTEXT = 1.0 * GIB  # CUDA's own
ANSWER_BATCH = 64  # prompts that the base model answers at a time


@dataclass(frozen=True)
class Gpu:
    """One accelerator; dense bfloat16, from its maker's data sheet.

    Attributes:
        name: as its maker writes it.
        memory: bytes.
        flops: floating-point operations a second, at most.
        bandwidth: bytes a second, at most.
    """

    name: str
    memory: float
    flops: float
    bandwidth: float


GPUS = (
    Gpu("L4 24 GB", 24e9, 121e12, 0.3e12),
    Gpu("RTX 4090 24 GB", 24e9, 165e12, 1.01e12),
    Gpu("L40S 48 GB", 48e9, 362e12, 0.864e12),
    Gpu("A100 80 GB", 80e9, 312e12, 2.04e12),
    Gpu("H100 80 GB", 80e9, 989e12, 3.35e12),
    Gpu("H200 141 GB", 141e9, 989e12, 4.8e12),
)
# Shares of the above that a training reaches, assumed, not measured: short sequences and no fused kernels; weights of 4 bits
# are unpacked at every use.
UTILISATION: dict[Quantization, float] = {"none": 0.3, "4bit": 0.2}
BANDWIDTH_UTILISATION = 0.4


@dataclass(frozen=True)
class Memory:
    """Bytes that a step takes at its largest batch; see above."""

    weights: float
    adapters: float
    token_rows: float
    activations: float
    logits: float

    @property
    def total(self) -> float:
        """All of them, and what is lost between."""
        return _SPARE * sum(vars(self).values()) + _CONTEXT

    def fits(self, gpu: Gpu) -> bool:
        """Whether a GPU has as much."""
        return self.total <= gpu.memory


@dataclass(frozen=True)
class Work:
    """How much a run reads and writes.

    Attributes:
        steps: of the optimiser.
        tokens: that pass through the model in training, padding included.
        answer_positions: of them, those that the LM head is computed for.
        rows: of the largest batch.
        row_tokens: tokens of one of its rows, padding included.
        row_answer: of them, positions that the LM head is computed for.
        own_answers: benign queries that the base model answers itself before training.
        own_answer_tokens: longest answer to them.
        prompt_tokens: mean of a prompt.
        fitted: prompts that are read once more at the end, for the fit of safety attention.
    """

    steps: int
    tokens: int
    answer_positions: int
    rows: int
    row_tokens: int
    row_answer: int
    own_answers: int
    own_answer_tokens: int
    prompt_tokens: float
    fitted: int


def step_memory(shape: Architecture, work: Work, checkpointing: bool, quantization: Quantization = "none") -> Memory:
    """Memory of the largest batch, with or without gradient checkpointing."""
    tokens, b = work.rows * work.row_tokens, shape.value_bytes
    kept = layer_activations(shape) * tokens
    if checkpointing:
        kept = kept / shape.layers + shape.layers * b * shape.hidden_size * tokens
    vocabulary = shape.head_parameters / shape.hidden_size
    return Memory(
        weights=shape.weight_bytes[quantization],
        adapters=_TRAINED_BYTES * shape.trainable,
        token_rows=2 * b * shape.head_parameters,
        activations=kept,
        logits=(2 * b + 12) * vocabulary * work.rows * work.row_answer,
    )


def layer_activations(shape: Architecture) -> float:
    """Bytes that all layers together keep of a token for the backward pass."""
    b = shape.value_bytes
    each = 4 * shape.attention_width + 3 * shape.mlp_width + shape.routed * shape.hidden_size
    return b * (shape.lora_inputs + shape.layers * each) + 4 * shape.norm_inputs


def training_flops(shape: Architecture, work: Work, checkpointing: bool) -> float:
    """Floating-point operations of all training steps."""
    forward = forward_flops(shape, work.row_tokens)
    passes = 3 if checkpointing else 2
    return (
        work.tokens * (passes * forward + 6 * shape.lora_parameters) + work.answer_positions * 6 * shape.head_parameters
    )


def forward_flops(shape: Architecture, length: float) -> float:
    """Floating-point operations of one forward pass, a token of a sequence of this length; without the LM head."""
    return 2 * shape.active_parameters + 4 * shape.layers * length * shape.attention_width


def training_hours(
    shape: Architecture, work: Work, gpu: Gpu, checkpointing: bool, quantization: Quantization = "none"
) -> float:
    """Hours of the training steps on one GPU."""
    return training_flops(shape, work, checkpointing) / (gpu.flops * UTILISATION[quantization]) / 3600


def other_hours(shape: Architecture, work: Work, gpu: Gpu, quantization: Quantization = "none") -> float:
    """Hours of what stands round them: the base model's own answers, and hidden states for the fit of safety attention.

    Decoding reads all weights once for each token of a batch, so it is bound by bandwidth.
    """
    read = (work.own_answers + work.fitted) * work.prompt_tokens * forward_flops(shape, work.prompt_tokens)
    decoding = math.ceil(work.own_answers / ANSWER_BATCH) * work.own_answer_tokens * shape.weight_bytes[quantization]
    return (read / (gpu.flops * UTILISATION[quantization]) + decoding / (gpu.bandwidth * BANDWIDTH_UTILISATION)) / 3600
