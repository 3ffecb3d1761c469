"""casa-nano's processor: SmolLM2's tokenizer with Qwen2.5-Omni's control tokens, chat format and media processors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MEDIA_TOKENS = {
    "audio_token": "<|AUDIO|>",
    "image_token": "<|IMAGE|>",
    "video_token": "<|VIDEO|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
}
DEFAULT_SYSTEM_PROMPT = "You are a helpful AI assistant."

CHAT_TEMPLATE = (
    "{%- if messages[0]['role'] != 'system' -%}"
    "{{- '<|im_start|>system\\n" + DEFAULT_SYSTEM_PROMPT + "<|im_end|>\\n' -}}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\\n' -}}"
    "{%- if message['content'] is string -%}{{- message['content'] -}}"
    "{%- else -%}{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'text' -%}{{- part['text'] -}}"
    "{%- elif part['type'] == 'image' -%}{{- '<|vision_bos|><|IMAGE|><|vision_eos|>' -}}"
    "{%- elif part['type'] == 'audio' -%}{{- '<|audio_bos|><|AUDIO|><|audio_eos|>' -}}"
    "{%- elif part['type'] == 'video' -%}{{- '<|vision_bos|><|VIDEO|><|vision_eos|>' -}}"
    "{%- endif -%}{%- endfor -%}{%- endif -%}"
    "{{- '<|im_end|>\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)


def load_smollm2_tokenizer(gguf: Path) -> Any:
    """SmolLM2's own tokenizer, from the GGUF file (digits are split one by one, as in its training)."""
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    return tokenizer


def save_processor(gguf: Path, folder: Path) -> Any:
    """Writes tokenizer and processor files into `folder`; returns the loaded `Qwen2_5OmniProcessor`."""
    from transformers import (
        AutoTokenizer,
        Qwen2_5OmniProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
        WhisperFeatureExtractor,
    )

    tokenizer = load_smollm2_tokenizer(gguf)
    tokenizer.add_special_tokens({"additional_special_tokens": list(MEDIA_TOKENS.values())})
    tokenizer.pad_token, tokenizer.eos_token = "<|endoftext|>", "<|im_end|>"
    tokenizer.model_max_length, tokenizer.padding_side = 8192, "left"
    tokenizer.save_pretrained(folder)
    _name_media_tokens(folder / "tokenizer_config.json")
    processor = Qwen2_5OmniProcessor(
        image_processor=Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=448 * 448),
        video_processor=Qwen2VLVideoProcessor(),
        feature_extractor=WhisperFeatureExtractor(feature_size=80, return_attention_mask=True),
        tokenizer=AutoTokenizer.from_pretrained(folder),
        chat_template=CHAT_TEMPLATE,
    )
    processor.save_pretrained(folder)
    _name_media_tokens(folder / "tokenizer_config.json")
    return Qwen2_5OmniProcessor.from_pretrained(folder)


def _name_media_tokens(path: Path) -> None:
    """Saves the media tokens by name: in a plain list the processor does not find them."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["extra_special_tokens"] = MEDIA_TOKENS
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
