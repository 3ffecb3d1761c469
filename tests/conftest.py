"""Models for the tests: casa-nano itself, and a tiny random thinker that shares its processor."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch
from transformers import AutoConfig, AutoProcessor, Qwen2_5OmniThinkerForConditionalGeneration

from casa import CasaConfig, CasaModel
from casa.nano import ensure_nano

TINY_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]},
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


@pytest.fixture(scope="session")
def nano_folder() -> Path:
    return ensure_nano()


@pytest.fixture(scope="session")
def _processor(nano_folder: Path) -> Any:
    return AutoProcessor.from_pretrained(nano_folder)


@pytest.fixture
def processor(_processor: Any) -> Any:
    """A fresh processor: attaching CASA adds tokens to it."""
    return copy.deepcopy(_processor)


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


@pytest.fixture
def tiny_base(nano_folder: Path) -> Any:
    return make_tiny_base(nano_folder)


@pytest.fixture
def tiny_casa(tiny_base: Any, processor: Any) -> CasaModel:
    torch.manual_seed(1)
    return CasaModel.attach(tiny_base, processor, CasaConfig(), r=4).eval()


@pytest.fixture
def tiny_casa_folder(tiny_casa: CasaModel, tmp_path: Path) -> Path:
    """A saved CASA model whose base model lies beside it."""
    base = tmp_path / "base"
    plain = make_tiny_base(tmp_path_factory_nano(), seed=0)
    plain.save_pretrained(base)
    tiny_casa.processor.save_pretrained(base)
    tiny_casa.base["name"] = str(base)
    tiny_casa.save_pretrained(tmp_path / "casa")
    return tmp_path / "casa"


def tmp_path_factory_nano() -> Path:
    """The assembled casa-nano's folder."""
    return ensure_nano()
