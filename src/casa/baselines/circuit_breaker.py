"""Circuit breaker: representation rerouting (Zou et al. 2024, arXiv 2406.04313).

An adapter turns the hidden states of harmful text away from where the frozen model has them, and leaves those of harmless text in
place; what the model then writes on a harmful request falls apart. The frozen model is the same with its adapter switched off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import TrainerCallback

from casa.baselines.adapters import AdapterTask
from casa.baselines.run import Run
from casa.data.reading import Example
from casa.errors import CasaError
from casa.model.decoding import on_last_positions
from casa.model.targets import layers_of

_PAPERS_LAYERS, _PAPERS_DEPTH = (10, 20), 32
_START = 1e-4  # deviation of LoRA's B at the start


@dataclass
class CircuitBreakerSettings:
    """What the paper chooses by model.

    Attributes:
        reroute_layers: hidden states after so many layers are rerouted; the adapter is in these layers and those below. None for
            the paper's layers 10 and 20 of 32, at the same share of this model's depth.
        reroute_alpha: weight of the loss, > 0; the paper takes 10 for Llama-3-8B and 5 for Mistral-7B.
    """

    reroute_layers: list[int] | None = field(default=None, metadata={"help": "hidden states after so many layers"})
    reroute_alpha: float = 10.0


def rerouting_loss(states: Tensor, frozen: Tensor, mask: Tensor) -> Tensor:
    """Mean over harmful tokens of relu(cos(state, frozen state)): zero once they are orthogonal or point apart.

    Args:
        states: with the adapter, shape (batch, tokens, width).
        frozen: without it.
        mask: True for tokens that count, shape (batch, tokens).
    """
    cosine = F.cosine_similarity(states[mask].float(), frozen[mask].float(), dim=-1)
    return cosine.relu().sum() / max(1, len(cosine))


def retain_loss(states: Tensor, frozen: Tensor, mask: Tensor) -> Tensor:
    """Mean over harmless tokens of the Euclidean distance to the frozen state; arguments as of `rerouting_loss`."""
    distance = torch.linalg.vector_norm(states[mask].float() - frozen[mask].float(), dim=-1)
    return distance.sum() / max(1, len(distance))


def behind_shared_beginning(ids: Tensor, inside: Tensor) -> Tensor:
    """True for tokens behind what all rows begin with: the chat template, where harmful and harmless states are the same.

    Rerouting them would move the harmless ones too, against the retain loss.

    Args:
        ids: of both classes, shape (batch, tokens).
        inside: True for tokens that are no padding, which form one run in each row.
    """
    lengths, place = inside.sum(-1), torch.arange(ids.shape[1], device=ids.device)
    starts = inside.long().argmax(-1, keepdim=True)
    first = ids.gather(1, (starts + place).clamp(max=ids.shape[1] - 1))  # the rows, all beginning in column 0
    alike = (first == first[:1]).all(0) & (place < lengths.min())
    shared = alike.long().cumprod(0).sum()
    return inside & (place >= starts + shared)


class Coefficients(NamedTuple):
    """Weights of the two losses.

    Attributes:
        rerouting: of the first.
        retain: of the second.
    """

    rerouting: float
    retain: float


def coefficients(progress: float, alpha: float) -> Coefficients:
    """The paper's schedule: alpha (1 - t / 2T) for rerouting and alpha t / 2T for retaining.

    Args:
        progress: t / T, in [0, 1].
        alpha: weight of both.
    """
    return Coefficients(alpha * (1 - progress / 2), alpha * progress / 2)


def default_layers(depth: int) -> list[int]:
    """The paper's layers at the same share of another depth."""
    return sorted({max(1, round(layer * depth / _PAPERS_DEPTH)) for layer in _PAPERS_LAYERS})


def chosen_layers(settings: CircuitBreakerSettings, depth: int) -> list[int]:
    """The layers that the settings name, in a model of so many.

    Raises:
        CasaError: the model has no such layer.
    """
    layers = settings.reroute_layers or default_layers(depth)
    if not all(1 <= layer <= depth for layer in layers):
        raise CasaError(f"reroute_layers must be from 1 to {depth}, the model's number of layers, not {layers}")
    return layers


class ReroutingTask(AdapterTask):
    """Rerouting on the malicious rows of a batch, behind what all rows begin with; retaining on its benign ones.

    Args:
        model: the PEFT model, adapted up to the last of the layers.
        layers: hidden states after so many layers are rerouted; all states up to the last of them are retained on benign text.
        alpha: weight of the loss.

    Attributes:
        progress: share of the training that is done, in [0, 1]; set before every step.
    """

    def __init__(self, model: Any, layers: Sequence[int], alpha: float) -> None:
        super().__init__(model)
        self.layers, self.alpha = list(layers), alpha
        self.progress = 0.0

    def forward(
        self, inputs: dict[str, Tensor], prompt_mask: Tensor, response_ids: Tensor, malicious: Tensor
    ) -> dict[str, Tensor]:
        """The loss of a batch from `ConditionalCollator` without the token, and its two parts."""
        with torch.no_grad(), self.model.disable_adapter():
            frozen = self.hidden_states(inputs)
        states = self.hidden_states(inputs)
        inside, rows = inputs["attention_mask"].bool(), malicious[:, None].to(inputs["input_ids"].device)
        own = behind_shared_beginning(inputs["input_ids"], inside) & rows
        rerouting = [rerouting_loss(states[i - 1], frozen[i - 1], own) for i in self.layers]
        retained = [retain_loss(s, f, inside & ~rows) for s, f in zip(states, frozen, strict=True)]
        parts = torch.stack(rerouting).mean(), torch.stack(retained).mean()
        weight = coefficients(self.progress, self.alpha)
        loss = weight.rerouting * parts[0] + weight.retain * parts[1]
        return {"loss": loss, "rerouting": parts[0].detach(), "retain": parts[1].detach()}

    def hidden_states(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """States after each layer up to the last that is rerouted, each (batch, tokens, width)."""
        states: list[Tensor] = []

        def read(module: Any, args: Any, output: Any) -> None:
            states.append(output[0] if isinstance(output, tuple) else output)

        handles = [layer.register_forward_hook(read) for layer in layers_of(self.base_model)[: max(self.layers)]]
        try:
            with on_last_positions(self.base_model, 1):
                self.base_model(**inputs, use_cache=False)
        finally:
            for handle in handles:
                handle.remove()
        return states


class _Progress(TrainerCallback):
    """Tells the task how far the training is, after a resumption too."""

    def __init__(self, task: ReroutingTask) -> None:
        self._task = task

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._task.progress = state.global_step / state.max_steps


def opened(example: Example) -> Example:
    """A malicious query with the agreeing beginning of an answer, for the data has no harmful answers."""
    return replace(example, answer=example.given, given="", complete=False) if example.malicious else example


def off_the_top(model: Any) -> Any:
    """The PEFT model with LoRA's B a little off zero: where both states are the same, the cosine's gradient is exactly zero."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=_START)
    return model


def train(run: Run) -> dict[str, Any]:
    """Trains by a run's recipe; returns its summary."""
    examples = [opened(example) for example in run.answered_examples(prefill_share=1.0)]
    layers = run.settings.reroute_layers = chosen_layers(run.settings, len(layers_of(run.base)))
    task = ReroutingTask(off_the_top(run.adapted(max(layers))), layers, run.settings.reroute_alpha)
    return run.summary(examples, run.train(task, examples, callbacks=[_Progress(task)]))
