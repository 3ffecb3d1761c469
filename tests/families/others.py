"""Mistral's, Microsoft's, Meta's, OpenBMB's and IBM's multimodal models."""

from __future__ import annotations

from typing import Any

import transformers as hf

from .family import TEXT, Family, Pieces, byte_tokenizer, random_model
from .qwen import WITHOUT_HEAD_DIM, template

INST = (
    "{{ '<s>' }}{% if messages[0]['role'] == 'system' %}"
    "{{ '[SYSTEM_PROMPT]' + (messages[0]['content'] if messages[0]['content'] is string else messages[0]['content'][0]['text'])"
    " + '[/SYSTEM_PROMPT]' }}{% set messages = messages[1:] %}{% endif %}{% for message in messages %}"
    "{{ '[INST]' if message['role'] == 'user' else '' }}{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}{{ '[IMG]' if part['type'] == 'image' else part['text'] }}{% endfor %}"
    "{% endif %}{{ '[/INST]' if message['role'] == 'user' else '</s>' }}{% endfor %}"
)
MISTRAL_TOKENS = ("[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]")
PATCHES = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def headers(start: str, end: str, over: str, image: str = "") -> str:
    """The chat form of Llama 3 and 4."""
    return (
        (
            "{{ bos_token }}{% for message in messages %}{{ 'START' + message['role'] + 'END\\n\\n' }}"
            "{% if message['content'] is string %}{{ message['content'] | trim }}{% else %}{% for part in message['content'] %}"
            "{% if part['type'] == 'image' %}{{ 'IMAGE' }}{% else %}{{ part['text'] | trim }}{% endif %}{% endfor %}{% endif %}"
            "{{ 'OVER' }}{% endfor %}{% if add_generation_prompt %}{{ 'STARTassistantEND\\n\\n' }}{% endif %}"
        )
        .replace("START", start)
        .replace("END", end)
        .replace("OVER", over)
        .replace("IMAGE", image)
    )


def mistral3() -> Pieces:
    """Mistral Small 3.1 with Pixtral's tower: a token ends each row of patches."""
    image_tokens = ("[IMG]", "[IMG_BREAK]", "[IMG_END]")
    tokenizer = byte_tokenizer(*MISTRAL_TOKENS, *image_tokens, template=INST, bos="<s>")
    processor = hf.PixtralProcessor(
        image_processor=hf.PixtralImageProcessor(size={"longest_edge": 56}, patch_size=7),
        tokenizer=tokenizer,
        patch_size=7,
        spatial_merge_size=2,
        chat_template=INST,
    )
    config = hf.Mistral3Config(
        text_config={"model_type": "mistral", **TEXT},
        vision_config={"model_type": "pixtral", **PATCHES, "image_size": 56, "patch_size": 7, "head_dim": 16},
        image_token_index=processor.image_token_id,
    )
    return random_model(hf.Mistral3ForConditionalGeneration, config, tokenizer), processor


def phi4_multimodal() -> Pieces:
    """Phi-4-multimodal: images and audio."""
    named = {"image_token": "<|image|>", "audio_token": "<|audio|>"}
    chat = (
        "{% for message in messages %}{{ '<|' + message['role'] + '|>' }}{% if message['content'] is string %}"
        "{{ message['content'] }}{% else %}{% for part in message['content'] %}"
        "{% if part['type'] in ('image', 'audio') %}{{ '<|' + part['type'] + '|>' }}{% else %}{{ part['text'] }}{% endif %}"
        "{% endfor %}{% endif %}{{ '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
    )
    tokenizer = byte_tokenizer("<|system|>", "<|user|>", "<|assistant|>", template=chat, eos="<|end|>", **named)
    processor = hf.Phi4MultimodalProcessor(
        image_processor=hf.Phi4MultimodalImageProcessor(dynamic_hd=2),
        audio_processor=hf.Phi4MultimodalFeatureExtractor(),
        tokenizer=tokenizer,
        chat_template=chat,
    )
    config = hf.Phi4MultimodalConfig(
        **WITHOUT_HEAD_DIM,
        vision_config={**PATCHES, "image_token_id": tokenizer.image_token_id},
        audio_config={
            **{"hidden_size": 32, "intermediate_size": 32, "num_blocks": 1, "num_attention_heads": 2},
            **{"ext_pw_out_channel": 32, "depthwise_separable_out_channel": 32, "nemo_conv_channels": 32},
            "audio_token_id": tokenizer.audio_token_id,
        },
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return random_model(hf.Phi4MultimodalForCausalLM, config, tokenizer), processor


def llama4() -> Pieces:
    """Llama 4, a mixture of experts: an image is cut into tiles."""
    image_tokens = ("<|image_start|>", "<|image_end|>", "<|patch|>", "<|tile_x_separator|>", "<|tile_y_separator|>")
    chat = headers("<|header_start|>", "<|header_end|>", "<|eot|>", "<|image|>")
    tokenizer = byte_tokenizer(
        *("<|header_start|>", "<|header_end|>", "<|image|>", *image_tokens),
        template=chat,
        bos="<|begin_of_text|>",
        eos="<|eot|>",
    )
    processor = hf.Llama4Processor(
        image_processor=hf.Llama4ImageProcessor(size={"height": 56, "width": 56}, max_patches=4),
        tokenizer=tokenizer,
        chat_template=chat,
    )
    config = hf.Llama4Config(
        text_config={
            **TEXT,
            **{"intermediate_size_mlp": 64, "num_local_experts": 2, "moe_layers": [1], "attention_chunk_size": 64},
        },
        vision_config={
            **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128},
            **{"vision_output_dim": 32, "image_size": 56, "projector_input_dim": 32, "projector_output_dim": 32},
        },
        boi_token_index=tokenizer.convert_tokens_to_ids("<|image_start|>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<|image_end|>"),
        image_token_index=tokenizer.convert_tokens_to_ids("<|patch|>"),
    )
    return random_model(hf.Llama4ForConditionalGeneration, config, tokenizer), processor


def llama32_vision() -> Pieces:
    """Llama 3.2 Vision: images come in through cross-attention, and the image's token stands for none of their features."""
    bounds = ("<|start_header_id|>", "<|end_header_id|>")
    tokenizer = byte_tokenizer(
        *(*bounds, "<|python_tag|>"),
        template=headers(*bounds, "<|eot_id|>", "<|image|>"),
        bos="<|begin_of_text|>",
        eos="<|eot_id|>",
        image_token="<|image|>",
    )
    processor = hf.MllamaProcessor(
        hf.MllamaImageProcessor(size={"height": 56, "width": 56}), tokenizer, chat_template=tokenizer.chat_template
    )
    config = hf.MllamaConfig(
        text_config={
            **{**WITHOUT_HEAD_DIM, "vocab_size": processor.image_token_id, "num_hidden_layers": 3},
            **{"cross_attention_layers": [1], "pad_token_id": tokenizer.pad_token_id},
            **{"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
        },
        vision_config={
            **{"hidden_size": 32, "num_hidden_layers": 2, "num_global_layers": 1, "attention_heads": 2},
            **{"intermediate_size": 32, "intermediate_layers_indices": [0], "vision_output_dim": 64},
            **{"image_size": 56, "patch_size": 14},
        },
        image_token_index=processor.image_token_id,
    )
    model = random_model(hf.MllamaForConditionalGeneration, config, tokenizer)
    for name, gate in model.named_parameters():
        if name.endswith(("attn_gate", "mlp_gate")):
            gate.data.fill_(1.0)  # zero at the start, which shuts images out
    return model, processor


def granite_speech() -> Pieces:
    """Granite Speech."""
    tokenizer = byte_tokenizer(
        "<|im_start|>", template=template(audio="<|audio|>"), eos="<|im_end|>", audio_token="<|audio|>"
    )
    processor = hf.GraniteSpeechProcessor(
        audio_processor=hf.GraniteSpeechFeatureExtractor(),
        tokenizer=tokenizer,
        chat_template=tokenizer.chat_template,
    )
    config = hf.GraniteSpeechConfig(
        text_config={"model_type": "granite", **WITHOUT_HEAD_DIM},
        encoder_config={
            **{"num_layers": 2, "hidden_dim": 32, "num_heads": 2, "dim_head": 16, "output_dim": 8},
            **{"context_size": 50, "max_pos_emb": 64},
        },
        projector_config={
            **{"model_type": "blip_2_qformer", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2},
            **{"intermediate_size": 32, "encoder_hidden_size": 32, "cross_attention_frequency": 1},
        },
        audio_token_index=tokenizer.audio_token_id,
        has_lora_adapter=False,
    )
    return random_model(hf.GraniteSpeechForConditionalGeneration, config, tokenizer), processor


def audio_flamingo3() -> Pieces:
    """Audio Flamingo 3: long clips are read in windows, here of 1 s; one clip a conversation."""
    tokenizer = byte_tokenizer(*("<|im_start|>", "<sound>"), template=template(audio="<sound>"), eos="<|im_end|>")
    processor = hf.AudioFlamingo3Processor(
        hf.WhisperFeatureExtractor(feature_size=128, chunk_length=1), tokenizer, chat_template=tokenizer.chat_template
    )
    config = hf.AudioFlamingo3Config(
        text_config={"model_type": "qwen2", **WITHOUT_HEAD_DIM},
        audio_config={**PATCHES, "max_source_positions": 50},
        audio_token_id=processor.audio_token_id,
    )
    return random_model(hf.AudioFlamingo3ForConditionalGeneration, config, tokenizer), processor


def _text_only(model_class: Any, config_class: Any, tokenizer: Any) -> Pieces:
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")}
    return random_model(model_class, config_class(**TEXT, **ids), tokenizer), tokenizer


def llama() -> Pieces:
    """Llama 3, text only."""
    bounds = ("<|start_header_id|>", "<|end_header_id|>")
    tokenizer = byte_tokenizer(
        *bounds, template=headers(*bounds, "<|eot_id|>"), bos="<|begin_of_text|>", eos="<|eot_id|>"
    )
    return _text_only(hf.LlamaForCausalLM, hf.LlamaConfig, tokenizer)


def qwen3() -> Pieces:
    """Qwen3, text only."""
    tokenizer = byte_tokenizer("<|im_start|>", template=template(system=""), eos="<|im_end|>")
    return _text_only(hf.Qwen3ForCausalLM, hf.Qwen3Config, tokenizer)


def mistral() -> Pieces:
    """Mistral, text only."""
    return _text_only(
        hf.MistralForCausalLM, hf.MistralConfig, byte_tokenizer(*MISTRAL_TOKENS, template=INST, bos="<s>")
    )


FAMILIES = (
    Family("Mistral Small 3.1 (Pixtral)", mistral3, ("image",)),
    Family("Phi-4-multimodal", phi4_multimodal, ("image", "audio")),
    Family("Llama 4", llama4, ("image",)),
    Family("Llama 3.2 Vision", llama32_vision, ("image",)),
    Family("Granite Speech", granite_speech, ("audio",), needs=("torchaudio",)),
    Family("Audio Flamingo 3", audio_flamingo3, ("audio",), at_most=1),
    Family("Llama 3", llama),
    Family("Qwen3", qwen3),
    Family("Mistral", mistral),
)
