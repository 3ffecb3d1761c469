"""Fits a saved adapter to a model whose modules another version of transformers names otherwise.

Versions put the decoder into the model under other names (Qwen2.5-Omni's at `model`, later at `model.language_model`), and
name what is inside it alike. Where it is now is asked of the model, and where it was is read off the saved names.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from casa.errors import CheckpointError
from casa.model.families import decoder_of

_PEFT = "base_model.model."  # stands before the name of every weight


class Renaming(NamedTuple):
    """What the names of the decoder's modules begin with.

    Attributes:
        saved: in a saved adapter.
        found: in the model at hand.
    """

    saved: str
    found: str

    def __call__(self, name: str) -> str:
        """A saved name as the model has it."""
        return self.found + name.removeprefix(self.saved) if name.startswith(self.saved) else name

    def weights(self, saved: dict[str, Tensor]) -> dict[str, Tensor]:
        """Saved weights by their names in the PEFT model."""
        return {_PEFT + self(name.removeprefix(_PEFT)): tensor for name, tensor in saved.items()}

    def key_mapping(self) -> dict[str, str]:
        """The same as `PeftModel.from_pretrained` takes it."""
        return {f"^{self.saved.replace('.', '[.]')}": self.found}


def renaming(base: Any, saved: Iterable[str], folder: Path) -> Renaming | None:
    """How a saved adapter's names become the model's; None if they are these already.

    Args:
        base: the model that the adapter is for.
        saved: names of the adapter's weights; of the decoder's at least one, of other parts any.
        folder: named in the error.

    Raises:
        CheckpointError: the names put the decoder in more than one place.
    """
    decoder = decoder_of(base)
    found = next(name for name, module in base.named_modules() if module is decoder)
    parts = {name for name, _ in decoder.named_children()}
    places = {place for name in saved if (place := _before(name.removeprefix(_PEFT), parts)) is not None}
    if not places or found in places:
        return None
    if len(places) > 1:
        raise CheckpointError(
            f"the adapter in {folder} does not fit this base model: its decoder would be at {' and at '.join(sorted(places))}"
        )
    return Renaming(f"{places.pop()}.", f"{found}.")


def _before(name: str, parts: set[str]) -> str | None:
    """What stands before the first part of a name that is one of `parts`; None if none is."""
    words = name.split(".")
    return next((".".join(words[:i]) for i, word in enumerate(words) if word in parts), None)


def renamed_config(config: Any, rename: Renaming, saved: Iterable[str], folder: Path) -> Any:
    """An adapter's config with the model's names: PEFT shortens them, so the modules are read off the weights instead.

    Args:
        config: a `LoraConfig`, changed in place.
        rename: from `renaming`.
        saved: names of the adapter's weights.
        folder: named in the error.

    Raises:
        CheckpointError: it scales modules apart by patterns of their names, which may mean others now.
    """
    if config.alpha_pattern or config.rank_pattern:
        raise CheckpointError(
            f"the adapter in {folder} has an alpha_pattern or rank_pattern for modules that this version of transformers names "
            "otherwise; load it with the version it was saved with"
        )
    config.target_modules = {rename(name.removeprefix(_PEFT).split(".lora_")[0]) for name in saved if ".lora_" in name}
    rows = config.trainable_token_indices
    if isinstance(rows, dict):
        config.trainable_token_indices = {rename(name): ids for name, ids in rows.items()}
    return config


def require_same_names(model: Any, weights: dict[str, Tensor], folder: Path) -> None:
    """Checks that a PEFT model's adapter has these weights, one to one.

    Args:
        model: the PEFT model.
        weights: by their names in it.
        folder: that they come from, named in the error.

    Raises:
        CheckpointError: there is one more on either side.
    """
    from peft import get_peft_model_state_dict

    held = get_peft_model_state_dict(model, save_embedding_layers=False)
    if lacking := sorted(set(held) ^ set(weights)):
        raise CheckpointError(
            f"the adapter in {folder} does not fit this base model: {lacking[0]} and {len(lacking) - 1} more"
        )
