"""What differs between families is told from their processors and configs."""

from types import SimpleNamespace

import transformers as hf

from casa.model.families import audio_window
from casa.model.targets import lora_targets
from families.others import llama32_vision
from families.qwen import qwen3_5

WHISPER = hf.WhisperFeatureExtractor(chunk_length=30)


def test_a_clip_may_be_as_long_as_the_window_or_as_what_is_read_in_windows():
    assert audio_window(SimpleNamespace(feature_extractor=WHISPER)) == 30
    assert audio_window(SimpleNamespace(feature_extractor=WHISPER, max_audio_len=600)) == 600
    renders = type("MistralCommonBackend", (), {})()
    assert audio_window(SimpleNamespace(feature_extractor=WHISPER, tokenizer=renders)) is None


def test_linear_attention_is_adapted_as_full_attention_is():
    names = lora_targets(qwen3_5()[0])
    linear, full = ([name for name in names if f"layers.{i}." in name] for i in (0, 1))
    assert {name.rsplit(".", 2)[1] for name in linear} == {"linear_attn", "mlp"}
    assert {name.rsplit(".", 2)[1] for name in full} == {"self_attn", "mlp"}


def test_neither_tower_nor_cross_attention_is_adapted():
    base = llama32_vision()[0]
    assert any("cross_attn.q_proj" in name for name, _ in base.named_modules())
    assert {name.split(".mlp")[0].split(".self_attn")[0] for name in lora_targets(base)} == {
        f"model.language_model.layers.{i}" for i in (0, 2)
    }
