"""The language model with its adapter, reading layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from casa.errors import CheckpointError
from casa.model.checkpoint import ADAPTER_FILE
from casa.model.families import decoder_of
from casa.model.layouts import renaming
from casa.model.targets import lora_targets
from casa.nano.align.examples import FORMS, Form, Laid
from casa.nano.align.layouts import embedded


class Reading(NamedTuple):
    """How well answers to held-out instructions in one form are predicted.

    Attributes:
        nll: mean negative log-likelihood of a token of the answer to the text.
        agreement: share of its tokens that are the most likely ones.
    """

    nll: float
    agreement: float


class Reader(nn.Module):
    """The language model with its adapter and the vectors of what is empty.

    Args:
        thinker: casa-nano's base model, changed in place.
        rank: of the adapter.
        space: id of " ", from whose embedding the vectors of empty cells and frames start.
        known: such vectors of trained towers, (width,); they stay as they are.
        start: folder of an adapter to go on from; modules that it leaves alone are adapted from now on.

    Raises:
        CheckpointError: the adapter to go on from has another rank, or modules that this model lacks.
    """

    def __init__(
        self, thinker: Any, rank: int, space: int, known: Mapping[Form, Tensor], start: Path | None = None
    ) -> None:
        super().__init__()
        self.adapted: Any = _adapted(thinker, rank, start)
        self.thinker: Any = self.adapted.get_base_model()
        decoder: Any = decoder_of(self.thinker)
        decoder.set_attn_implementation("eager")  # on CPUs the fused one is slower for short texts
        self.table: Tensor = thinker.get_input_embeddings().weight.detach()
        blanks = {form: known.get(form, self.table[space]).float().clone() for form in FORMS[1:]}
        self.blanks: Any = nn.ParameterDict(
            {form: nn.Parameter(blank, requires_grad=form not in known) for form, blank in blanks.items()}
        )

    def forward(
        self, batch: Sequence[tuple[Laid, Form]], noise: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Logits and targets of all tokens of the answers, shapes (tokens, vocabulary) and (tokens,)."""
        rows = [self._embedded(laid, form, noise, generator) for laid, form in batch]
        length = max(len(row) for row in rows)
        embeds = torch.stack([F.pad(row, (0, 0, 0, length - len(row))) for row in rows])
        mask = torch.stack([torch.arange(length) < len(row) for row in rows]).long()
        positions = torch.stack(
            [F.pad(laid.positions, (0, length - laid.positions.shape[1])) for laid, _ in batch], dim=1
        )
        output = decoder_of(self.thinker)(
            inputs_embeds=embeds, attention_mask=mask, position_ids=positions, use_cache=False, return_dict=True
        )
        hidden = output.last_hidden_state
        before = [hidden[i, len(laid.ids) - laid.answer - 1 : len(laid.ids) - 1] for i, (laid, _) in enumerate(batch)]
        targets = torch.cat([laid.ids[len(laid.ids) - laid.answer :] for laid, _ in batch])
        return self.thinker.get_output_embeddings()(torch.cat(before)).float(), targets

    def _embedded(self, laid: Laid, form: Form, noise: float, generator: torch.Generator) -> Tensor:
        found = self.table[laid.ids]
        if form == "text":
            return found
        placed = laid.vectors
        if placed is None:
            placed = embedded(laid.layout, self.table, self.blanks[form], noise, generator)
        token = self.thinker.config.image_token_id if form == "picture" else self.thinker.config.audio_token_id
        at = (laid.ids == token).nonzero()[:, 0]
        return found.index_copy(0, at, placed.to(found.dtype))


def _adapted(thinker: Any, rank: int, start: Path | None) -> Any:
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

    weights = {} if start is None else load_file(start / ADAPTER_FILE)
    if start is not None and (rename := renaming(thinker, weights, start)):
        weights = rename.weights(weights)
    adapted: Any = get_peft_model(thinker, LoraConfig(r=rank, lora_alpha=rank, target_modules=lora_targets(thinker)))
    try:
        loaded: Any = set_peft_model_state_dict(adapted, weights)
    except RuntimeError as error:
        raise CheckpointError(f"the adapter in {start} does not fit: {error}") from error
    if unknown := loaded.unexpected_keys:
        raise CheckpointError(f"the adapter in {start} does not fit: this model lacks {', '.join(sorted(unknown))}")
    return adapted


@torch.no_grad()
def measure(reader: Reader, batch: list[tuple[Laid, Form]], size: int) -> Reading:
    """How well the answers of some instructions are predicted, without noise."""
    losses, agreed = [], []
    for start in range(0, len(batch), size):
        logits, targets = reader(batch[start : start + size], 0.0, torch.Generator())
        losses += F.cross_entropy(logits, targets, reduction="none").tolist()
        agreed += (logits.argmax(-1) == targets).tolist()
    return Reading(sum(losses) / len(losses), sum(agreed) / len(agreed))
