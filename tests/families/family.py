"""What a tiny random model of a family is made of: a tokenizer of bytes, the family's real processor, its real model class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from torch import nn
from transformers import PreTrainedTokenizerFast

from casa import CasaConfig

Pieces = tuple[nn.Module, Any]  # base model and processor


@dataclass(frozen=True)
class Family:
    """One family of models.

    Attributes:
        name: as its makers write it.
        build: makes a tiny random model and its processor.
        media: kinds that it takes beside text.
        config: CASA's choices, where the family needs other ones.
        needs: packages of its processor or towers beside the usual ones.
        at_most: media of one kind that a conversation may hold.
        broken: kinds of media that do not work, with the reason; what stands between backticks is in the error.
    """

    name: str
    build: Callable[[], Pieces]
    media: tuple[str, ...] = ()
    config: CasaConfig = field(default_factory=CasaConfig)
    needs: tuple[str, ...] = ()
    at_most: int = 2
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def working(self) -> tuple[str, ...]:
        """Media that are said to work."""
        return tuple(kind for kind in self.media if kind not in self.broken)


def byte_tokenizer(*special: str, template: str, bos: str | None = None, eos: str = "</s>", **named: str) -> Any:
    """A fast tokenizer of 256 bytes and control tokens.

    Args:
        special: control tokens beside pad, bos and eos.
        template: chat template.
        bos: put before every text, as the family's own tokenizer does.
        eos: ends an answer.
        named: control tokens that the processor asks the tokenizer for, as `image_token`.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    control = dict.fromkeys(["<pad>", *([bos] if bos else []), eos, *special, *named.values()])
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in control])
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token=eos,
        padding_side="left",
        chat_template=template,
        extra_special_tokens=named,
        **({"bos_token": bos} if bos else {}),
    )


def random_model(model_class: Any, config: Any, tokenizer: Any) -> nn.Module:
    """A model whose every weight is drawn anew, in evaluation mode; it ends answers as its tokenizer says."""
    torch.manual_seed(0)
    model: nn.Module = model_class(config).eval()
    for weight in model.parameters():
        if weight.ndim > 1:
            weight.data *= 2  # the usual start leaves media almost no weight in so small a model
            if not weight.any():
                weight.data.normal_(std=0.05)  # and some projections are left at zero
    pad = model.get_input_embeddings().weight[tokenizer.pad_token_id]
    pad.data.normal_(std=0.02)  # zeros, as a fresh embedding has, would give Gemma 3n gradients that are no numbers
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


TEXT = {  # of a language model
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 4096,
}

_WIDE = Image.effect_noise((96, 64), 60).convert("RGB")
_TALL = Image.new("RGB", (48, 80), "orange")
_SOUND = np.random.default_rng(0).normal(size=24000).astype(np.float32) / 20

PARTS: dict[str, list[dict[str, Any]]] = {  # two media of each kind that differ in size
    "image": [{"type": "image", "image": _WIDE}, {"type": "image", "image": _TALL}],
    "audio": [
        {"type": "audio", "audio": _SOUND, "sampling_rate": 16000},
        {"type": "audio", "audio": _SOUND[:12000], "sampling_rate": 16000},
    ],
    "video": [{"type": "video", "video": [_WIDE] * 4, "fps": 2.0}, {"type": "video", "video": [_TALL] * 4, "fps": 2.0}],
}
