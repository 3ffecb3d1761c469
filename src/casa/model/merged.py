"""A checkpoint for plain transformers: adapter merged, first token restricted to the two safety tokens, no gate."""

from __future__ import annotations

import copy
from pathlib import Path

from casa.errors import CheckpointError
from casa.folders import complete_folder
from casa.model.casa_model import CasaModel


def write_merged(casa: CasaModel, folder: Path) -> None:
    """Writes base model with the merged adapter, processor, and a generation config that leaves two first tokens.

    The folder appears only when it is complete.

    What is lost without CASA's code: v_s does not gate the decision (it is made by the two logits alone, at 0.5), safety tokens are
    not banned later on, a prefill can stand in the token's place, and text from a user can hold control tokens. Safety tokens
    that are words show in the decoded text.

    Args:
        casa: loaded with its adapter merged.
        folder: must not exist yet.

    Raises:
        CheckpointError: the folder exists, the adapter is not merged, or the base model is quantised.
    """
    if not casa.merged or getattr(casa.base_model, "is_quantized", False):
        raise CheckpointError(
            "only an unquantised model with its adapter merged can be written; load it with merge=True"
        )
    base = casa.base_model
    generation = copy.deepcopy(base.generation_config)
    vocabulary = base.get_output_embeddings().weight.shape[0]
    generation.begin_suppress_tokens = [i for i in range(vocabulary) if i not in casa.tokens]
    with complete_folder(folder) as scratch:
        base.save_pretrained(scratch)
        casa.processor.save_pretrained(scratch)
        generation.save_pretrained(scratch)
