"""A tiny random thinker with casa-nano's vocabulary, and a conversation to give it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, Qwen2_5OmniThinkerForConditionalGeneration

TINY_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]},
}
WIDE_HEAD = {  # the narrowest that vLLM has on a CPU
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]},
}
TINY_AUDIO = {"encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 32, "d_model": 32, "output_dim": 32}
TINY_VISION = {
    "depth": 2,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_heads": 2,
    "out_hidden_size": 32,
    "fullatt_block_indexes": [1],
}


def user(text: str) -> list[dict[str, Any]]:
    """A conversation of one user message."""
    return [{"role": "user", "content": text}]


def perturb(casa: Any, scale: float = 0.05, seed: int = 3) -> None:
    """Moves every trained weight, as training does."""
    torch.manual_seed(seed)
    for parameter in casa.parameters():
        if parameter.requires_grad:
            parameter.data += scale * torch.randn_like(parameter)


def make_tiny_base(nano_folder: Path, seed: int = 0, **text: Any) -> Any:
    """A random thinker of two layers with casa-nano's vocabulary and control tokens."""
    config = AutoConfig.from_pretrained(nano_folder).to_dict()["thinker_config"]
    config["text_config"] |= {**TINY_TEXT, **text}
    config["audio_config"] |= TINY_AUDIO
    config["vision_config"] |= TINY_VISION
    config.pop("untrained_media")
    config.pop("embedded_name")
    config["text_config"].pop("layer_types", None)
    torch.manual_seed(seed)
    thinker_class = Qwen2_5OmniThinkerForConditionalGeneration
    model = thinker_class(thinker_class.config_class(**config)).eval()
    model.generation_config.eos_token_id = 2
    model.generation_config.pad_token_id = 0
    return model
