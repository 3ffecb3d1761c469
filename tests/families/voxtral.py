"""Mistral's models whose chats mistral-common renders."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import transformers as hf

from casa import CasaConfig

from .family import TEXT, Family, Pieces, random_model

CONTROL = (
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]"),
    *(
        "[/TOOL_RESULTS]",
        "[TOOL_CALLS]",
        "[IMG]",
        "<pad>",
        "[IMG_BREAK]",
        "[IMG_END]",
        "[PREFIX]",
        "[MIDDLE]",
        "[SUFFIX]",
    ),
    *(
        "[SYSTEM_PROMPT]",
        "[/SYSTEM_PROMPT]",
        "[TOOL_CONTENT]",
        "<SPECIAL_20>",
        "<SPECIAL_21>",
        "<SPECIAL_22>",
        "<SPECIAL_23>",
    ),
    *("[AUDIO]", "[BEGIN_AUDIO]", *(f"<SPECIAL_{i}>" for i in range(26, 34)), "[TRANSCRIBE]"),
)
SPECIAL = 102  # ids before the first byte; those without a name are called <SPECIAL_35> and on
HEARING = {"hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 2}


@cache
def _folder() -> TemporaryDirectory[str]:
    """Where the tokenizer's file lies; saving copies it from there."""
    return TemporaryDirectory()


def tekken_tokenizer() -> Any:
    """A tokenizer of 256 bytes in Mistral's format."""
    words = [{"rank": i, "token_bytes": base64.b64encode(bytes([i])).decode(), "token_str": None} for i in range(256)]
    content = {
        "config": {
            **{"pattern": r"\s+|\S+", "version": "v7", "num_vocab_tokens": 256},
            **{"default_vocab_size": SPECIAL + 256, "default_num_special_tokens": SPECIAL},
        },
        "vocab": words,
        "special_tokens": [{"rank": i, "token_str": token, "is_control": True} for i, token in enumerate(CONTROL)],
        "audio": {
            **{"sampling_rate": 16000, "frame_rate": 12.5, "chunk_length_s": 30.0},
            "audio_encoding_config": {"num_mel_bins": 128, "window_size": 400, "hop_length": 160},
        },
    }
    file = Path(_folder().name) / "tekken.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return hf.MistralCommonBackend(tokenizer_path=file)


def voxtral() -> Pieces:
    """Voxtral: clips are read in windows of 30 s, 375 tokens each."""
    tokenizer = tekken_tokenizer()
    processor = hf.VoxtralProcessor(hf.WhisperFeatureExtractor(feature_size=128), tokenizer)
    config = hf.VoxtralConfig(
        text_config={"model_type": "llama", **TEXT},
        audio_config=HEARING,
        audio_token_id=processor.audio_token_id,
    )
    return random_model(hf.VoxtralForConditionalGeneration, config, tokenizer), processor


def mistral() -> Pieces:
    """Mistral, text only: the tokenizer stands alone."""
    tokenizer = tekken_tokenizer()
    ids = {name: getattr(tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    return random_model(hf.MistralForCausalLM, hf.MistralConfig(**TEXT, **ids), tokenizer), tokenizer


RESERVED = CasaConfig(safe_token="<SPECIAL_100>", unsafe_token="<SPECIAL_101>")
FAMILIES = (
    Family("Voxtral", voxtral, ("audio",), RESERVED, needs=("mistral_common",)),
    Family("Mistral (mistral-common)", mistral, (), RESERVED, needs=("mistral_common",)),
)
