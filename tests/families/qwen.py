"""Qwen's multimodal models."""

from __future__ import annotations

from typing import Any

import transformers as hf

from .family import TEXT, Family, Pieces, byte_tokenizer, random_model

MROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}}
INTERLEAVED = {"rope_parameters": {**MROPE["rope_parameters"], "mrope_interleaved": True}}
VISION = {"depth": 2, "hidden_size": 32, "num_heads": 2, "out_hidden_size": 32, "intermediate_size": 32}
WINDOWED = {**VISION, "fullatt_block_indexes": [1]}
STACKED = {**VISION, "deepstack_visual_indexes": [0], "num_position_embeddings": 64}
HEARING = {"encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 32, "d_model": 32}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
HYBRID = {  # linear attention in the first layer; so small a head is rotated as a whole
    **{"rope_parameters": {**INTERLEAVED["rope_parameters"], "partial_rotary_factor": 1.0}},
    **{"layer_types": ["linear_attention", "full_attention"], "linear_conv_kernel_dim": 4},
    **{"linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2, "linear_num_value_heads": 4},
}
SMALL = {"min_pixels": 28 * 28, "max_pixels": 128 * 128}
WITHOUT_HEAD_DIM = {name: value for name, value in TEXT.items() if name != "head_dim"}


def template(image: str = "", audio: str = "", video: str = "", system: str = "You are a helpful assistant.") -> str:
    """The ChatML form that all of them share; a first system message only where the family puts one."""
    first = f"<|im_start|>system\\n{system}<|im_end|>\\n"
    return (
        "{% for message in messages %}"
        + ("{% if loop.first and message['role'] != 'system' %}" + first + "{% endif %}" if system else "")
        + "{{ '<|im_start|>' + message['role'] + '\\n' }}"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
        f"{{% if part['type'] == 'image' %}}{image}{{% elif part['type'] == 'audio' %}}{audio}"
        f"{{% elif part['type'] == 'video' %}}{video}{{% else %}}{{{{ part['text'] }}}}{{% endif %}}"
        "{% endfor %}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    )


def omni_tokenizer(image: str, audio: str, video: str, bounds: tuple[str, str, str, str]) -> Any:
    """With the names that the omni processors ask for; `bounds` are the tokens around vision and audio."""
    vision_bos, vision_eos, audio_bos, audio_eos = bounds
    chat = template(
        *(f"{vision_bos}{image}{vision_eos}", f"{audio_bos}{audio}{audio_eos}"), f"{vision_bos}{video}{vision_eos}"
    )
    named = {"vision_bos_token": vision_bos, "vision_eos_token": vision_eos}
    named |= {"audio_bos_token": audio_bos, "audio_eos_token": audio_eos}
    named |= {"image_token": image, "audio_token": audio, "video_token": video}
    return byte_tokenizer("<|im_start|>", template=chat, eos="<|im_end|>", **named)


def qwen2_5_omni() -> Pieces:
    """The thinker, on which CASA sits."""
    bounds = ("<|vision_bos|>", "<|vision_eos|>", "<|audio_bos|>", "<|audio_eos|>")
    tokenizer = omni_tokenizer("<|IMAGE|>", "<|AUDIO|>", "<|VIDEO|>", bounds)
    processor = hf.Qwen2_5OmniProcessor(
        image_processor=hf.Qwen2VLImageProcessor(**SMALL),
        video_processor=hf.Qwen2VLVideoProcessor(**SMALL),
        feature_extractor=hf.WhisperFeatureExtractor(feature_size=128, chunk_length=4, return_attention_mask=True),
        tokenizer=tokenizer,
        chat_template=tokenizer.chat_template,
    )
    config = hf.Qwen2_5OmniThinkerConfig(
        text_config={**WITHOUT_HEAD_DIM, **MROPE},
        vision_config=WINDOWED,
        audio_config={**HEARING, "output_dim": 32},
        **_omni_ids(tokenizer, "index"),
    )
    return random_model(hf.Qwen2_5OmniThinkerForConditionalGeneration, config, tokenizer), processor


def qwen3_omni() -> Pieces:
    """The thinker, a mixture of experts."""
    bounds = ("<|vision_start|>", "<|vision_end|>", "<|audio_start|>", "<|audio_end|>")
    tokenizer = omni_tokenizer("<|image_pad|>", "<|audio_pad|>", "<|video_pad|>", bounds)
    processor = hf.Qwen3OmniMoeProcessor(
        image_processor=hf.Qwen2VLImageProcessor(patch_size=16, **SMALL),
        video_processor=hf.Qwen2VLVideoProcessor(patch_size=16, **SMALL),
        feature_extractor=hf.WhisperFeatureExtractor(feature_size=128, return_attention_mask=True),
        tokenizer=tokenizer,
        chat_template=tokenizer.chat_template,
    )
    config = hf.models.qwen3_omni_moe.Qwen3OmniMoeThinkerConfig(
        text_config={**TEXT, **INTERLEAVED, **EXPERTS},
        vision_config=STACKED,
        audio_config={**HEARING, "output_dim": 32, "downsample_hidden_size": 8},
        **_omni_ids(tokenizer, "id"),
    )
    return random_model(hf.Qwen3OmniMoeThinkerForConditionalGeneration, config, tokenizer), processor


def _omni_ids(tokenizer: Any, suffix: str) -> dict[str, int]:
    ids = {f"{kind}_token_{suffix}": getattr(tokenizer, f"{kind}_token_id") for kind in ("image", "audio", "video")}
    return {
        **ids,
        "audio_start_token_id": tokenizer.audio_bos_token_id,
        "vision_start_token_id": tokenizer.vision_bos_token_id,
    }


def _vl(processor_class: Any, video_class: Any, model_class: Any, config_class: Any, text: Any, vision: Any) -> Pieces:
    bounds = ("<|vision_start|>", "<|vision_end|>")
    image, video = ("<|vision_start|><|image_pad|><|vision_end|>", "<|vision_start|><|video_pad|><|vision_end|>")
    chat = template(image, "", video if video_class is hf.Qwen2VLVideoProcessor else "<|video_pad|>")
    tokenizer = byte_tokenizer(
        *("<|im_start|>", "<|endoftext|>", *bounds, "<|image_pad|>", "<|video_pad|>"), template=chat, eos="<|im_end|>"
    )
    patch = {"patch_size": vision.get("patch_size", 14)}
    processor = processor_class(
        image_processor=hf.Qwen2VLImageProcessor(**SMALL, **patch),
        tokenizer=tokenizer,
        video_processor=video_class(**SMALL, **patch),
        chat_template=chat,
    )
    ids = tokenizer.convert_tokens_to_ids(["<|image_pad|>", "<|video_pad|>", *bounds])
    names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    config = config_class(text_config=text, vision_config=vision, **dict(zip(names, ids, strict=True)))
    return random_model(model_class, config, tokenizer), processor


def qwen2_vl() -> Pieces:
    """Qwen2-VL."""
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2}
    classes = (hf.Qwen2VLProcessor, hf.Qwen2VLVideoProcessor, hf.Qwen2VLForConditionalGeneration, hf.Qwen2VLConfig)
    return _vl(*classes, {**WITHOUT_HEAD_DIM, **MROPE}, vision)


def qwen2_5_vl() -> Pieces:
    """Qwen2.5-VL."""
    classes = (
        *(hf.Qwen2_5_VLProcessor, hf.Qwen2VLVideoProcessor),
        *(hf.Qwen2_5_VLForConditionalGeneration, hf.Qwen2_5_VLConfig),
    )
    return _vl(*classes, {**WITHOUT_HEAD_DIM, **MROPE}, WINDOWED)


def qwen3_vl() -> Pieces:
    """Qwen3-VL."""
    classes = (hf.Qwen3VLProcessor, hf.Qwen3VLVideoProcessor, hf.Qwen3VLForConditionalGeneration, hf.Qwen3VLConfig)
    return _vl(*classes, {**TEXT, **INTERLEAVED}, {**STACKED, "patch_size": 16})


def qwen3_vl_moe() -> Pieces:
    """Qwen3-VL, a mixture of experts."""
    classes = (
        *(hf.Qwen3VLProcessor, hf.Qwen3VLVideoProcessor),
        *(hf.Qwen3VLMoeForConditionalGeneration, hf.Qwen3VLMoeConfig),
    )
    return _vl(*classes, {**TEXT, **INTERLEAVED, **EXPERTS}, {**STACKED, "patch_size": 16})


def qwen3_5() -> Pieces:
    """Qwen3.5: every other layer has linear attention."""
    classes = (hf.Qwen3VLProcessor, hf.Qwen3VLVideoProcessor, hf.Qwen3_5ForConditionalGeneration, hf.Qwen3_5Config)
    vision = {**VISION, "num_position_embeddings": 64, "patch_size": 16}
    return _vl(*classes, {**TEXT, **HYBRID}, vision)


def qwen2_audio() -> Pieces:
    """Qwen2-Audio."""
    tokenizer = byte_tokenizer(
        *("<|im_start|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"),
        template=template(audio="Audio: <|audio_bos|><|AUDIO|><|audio_eos|>\\n"),
        eos="<|im_end|>",
    )
    processor = hf.Qwen2AudioProcessor(
        feature_extractor=hf.WhisperFeatureExtractor(feature_size=128, chunk_length=4),
        tokenizer=tokenizer,
        chat_template=tokenizer.chat_template,
    )
    config = hf.Qwen2AudioConfig(
        text_config={"model_type": "qwen2", **WITHOUT_HEAD_DIM},
        audio_config={"model_type": "qwen2_audio_encoder", **HEARING, "max_source_positions": 200},
        audio_token_index=processor.audio_token_id,
    )
    return random_model(hf.Qwen2AudioForConditionalGeneration, config, tokenizer), processor


FAMILIES = (
    Family("Qwen2.5-Omni", qwen2_5_omni, ("image", "audio", "video")),
    Family("Qwen3-Omni", qwen3_omni, ("image", "audio", "video")),
    Family("Qwen2-VL", qwen2_vl, ("image", "video")),
    Family("Qwen2.5-VL", qwen2_5_vl, ("image", "video")),
    Family("Qwen3-VL", qwen3_vl, ("image", "video")),
    Family("Qwen3-VL-MoE", qwen3_vl_moe, ("image", "video")),
    Family("Qwen3.5", qwen3_5, ("image", "video")),
    Family("Qwen2-Audio", qwen2_audio, ("audio",)),
)
