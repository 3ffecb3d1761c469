"""GLM's and Cohere's multimodal models."""

from __future__ import annotations

from typing import Any

import transformers as hf

from .family import TEXT, Family, Pieces, byte_tokenizer, random_model
from .idefics import SIDE, VISION
from .qwen import MROPE, SMALL, WITHOUT_HEAD_DIM


def glm4v() -> Pieces:
    """GLM-4.1V: the token of a video's frames is the image's."""
    bounds = ("<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>")
    media = {"image": bounds[0] + "<|image|>" + bounds[1], "video": bounds[2] + "<|video|>" + bounds[3]}
    chat = (
        "[gMASK]<sop>{% for message in messages %}{{ '<|' + message['role'] + '|>\n' }}"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
        f"{{% if part['type'] == 'text' %}}{{{{ part['text'] }}}}{{% else %}}{{{{ {media}[part['type']] }}}}{{% endif %}}"
        "{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
    )
    roles = ("<|system|>", "<|user|>", "<|assistant|>", "[gMASK]", "<sop>")
    tokenizer = byte_tokenizer(*roles, *bounds, "<|image|>", "<|video|>", template=chat, eos="<|endoftext|>")
    processor = hf.Glm4vProcessor(
        image_processor=hf.Glm4vImageProcessor(size=_area(SMALL)),
        tokenizer=tokenizer,
        video_processor=hf.Glm4vVideoProcessor(size=_area(SMALL)),
        chat_template=chat,
    )
    ids = tokenizer.convert_tokens_to_ids(["<|image|>", "<|video|>", *bounds])
    names = ("image", "video", "image_start", "image_end", "video_start", "video_end")
    config = hf.Glm4vConfig(
        text_config={**WITHOUT_HEAD_DIM, "rope_parameters": {**MROPE["rope_parameters"], "partial_rotary_factor": 1.0}},
        vision_config={
            **{"depth": 2, "hidden_size": 32, "num_heads": 2, "out_hidden_size": 32, "intermediate_size": 32},
            **{"image_size": SIDE},
        },
        **{f"{name}_token_id": value for name, value in zip(names, ids, strict=True)},
        pad_token_id=tokenizer.pad_token_id,
    )
    return random_model(hf.Glm4vForConditionalGeneration, config, tokenizer), processor


def _area(pixels: dict[str, int]) -> dict[str, int]:
    return {"shortest_edge": pixels["min_pixels"], "longest_edge": pixels["max_pixels"]}


def _cohere(tokens: tuple[str, ...], image: str, named: dict[str, str]) -> Any:
    """Cohere's form: turns between two tokens, the role a third."""
    chat = (
        "{{ bos_token }}{% for message in messages %}{{ '<|START_OF_TURN_TOKEN|>' }}"
        "{{ {'user': '<|USER_TOKEN|>', 'assistant': '<|CHATBOT_TOKEN|>', 'system': '<|SYSTEM_TOKEN|>'}[message['role']] }}"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
        f"{{% if part['type'] == 'image' %}}{image}{{% else %}}{{{{ part['text'] }}}}{{% endif %}}"
        "{% endfor %}{% endif %}{{ '<|END_OF_TURN_TOKEN|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}"
    )
    turns = ("<|START_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|SYSTEM_TOKEN|>")
    return byte_tokenizer(*turns, *tokens, template=chat, bos="<BOS_TOKEN>", eos="<|END_OF_TURN_TOKEN|>", **named)


def _cohere_text() -> dict[str, Any]:
    layers = {"sliding_window": 32, "layer_types": ["sliding_attention", "full_attention"]}
    return {"model_type": "cohere2", **TEXT, **layers, "pad_token_id": 256, "bos_token_id": 257, "eos_token_id": 258}


def aya_vision() -> Pieces:
    """Aya Vision: an image is cut into tiles."""
    bounds = ("<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>", "TILE", "TILE_GLOBAL")
    tokenizer = _cohere(("<image>", *bounds), "<image>", {})
    processor = hf.AyaVisionProcessor(
        image_processor=hf.GotOcr2ImageProcessor(size={"height": SIDE, "width": SIDE}, max_patches=4),
        tokenizer=tokenizer,
        patch_size=14,
        img_size=SIDE,
        downsample_factor=2,
        chat_template=tokenizer.chat_template,
    )
    config = hf.AyaVisionConfig(
        text_config=_cohere_text(),
        vision_config={"model_type": "siglip_vision_model", **VISION, "vision_use_head": False},
        image_token_index=processor.image_token_id,
    )
    return random_model(hf.AyaVisionForConditionalGeneration, config, tokenizer), processor


def cohere2_vision() -> Pieces:
    """Command A Vision: an image is cut into tiles."""
    named = {
        **{"boi_token": "<|START_OF_IMG|>", "eoi_token": "<|END_OF_IMG|>", "image_token": "<|IMG_PATCH|>"},
        "img_line_break_token": "<|IMG_LINE_BREAK|>",
    }
    tokenizer = _cohere((), "<|IMG_PATCH|>", named)
    processor = hf.Cohere2VisionProcessor(
        image_processor=hf.Cohere2VisionImageProcessor(
            size={"height": SIDE, "width": SIDE}, max_patches=4, patch_size=2
        ),
        tokenizer=tokenizer,
        chat_template=tokenizer.chat_template,
    )
    config = hf.Cohere2VisionConfig(
        text_config=_cohere_text(),
        vision_config={"model_type": "siglip_vision_model", **VISION},
        image_token_id=tokenizer.image_token_id,
        alignment_intermediate_size=64,
    )
    return random_model(hf.Cohere2VisionForConditionalGeneration, config, tokenizer), processor


FAMILIES = (
    Family("GLM-4.1V", glm4v, ("image", "video")),
    Family("Aya Vision", aya_vision, ("image",)),
    Family("Command A Vision", cohere2_vision, ("image",)),
)
