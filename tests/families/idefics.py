"""Idefics 3 and its descendants, InternVL and MiniCPM-V."""

from __future__ import annotations

from typing import Any

import transformers as hf

from .family import TEXT, Family, Pieces, byte_tokenizer, random_model
from .qwen import HYBRID, WITHOUT_HEAD_DIM, template

SIDE = 56  # pixels of a tile, 4 x 4 patches, 4 tokens
VISION = {
    **{"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2},
    **{"image_size": SIDE, "patch_size": 14},
}
TILES = [f"<row_{i}_col_{j}>" for i in range(1, 4) for j in range(1, 4)]
TURNS = (
    "START{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% elif part['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
SIZES = {"size": {"longest_edge": 2 * SIDE}, "max_image_size": {"longest_edge": SIDE}}


def _tokenizer(start: str) -> Any:
    return byte_tokenizer(
        *("<fake_token_around_image>", "<image>", "<global-img>", *TILES),
        template=TURNS.replace("START", start),
        bos=start,
        eos="<end_of_utterance>",
    )


def _config(config_class: Any, processor: Any) -> Any:
    return config_class(
        text_config={"model_type": "llama", **TEXT},
        vision_config=VISION,
        image_token_id=processor.image_token_id,
        pad_token_id=processor.tokenizer.pad_token_id,
    )


def idefics3() -> Pieces:
    """Idefics 3: an image is cut into tiles."""
    tokenizer = _tokenizer("<|begin_of_text|>")
    images = hf.Idefics3ImageProcessor(**SIZES)
    processor = hf.Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=tokenizer.chat_template)
    model = random_model(hf.Idefics3ForConditionalGeneration, _config(hf.Idefics3Config, processor), tokenizer)
    return model, processor


def smolvlm() -> Pieces:
    """SmolVLM 2: images and video."""
    tokenizer = _tokenizer("<|im_start|>")
    processor = hf.SmolVLMProcessor(
        hf.SmolVLMImageProcessor(**SIZES),
        tokenizer,
        hf.SmolVLMVideoProcessor(**SIZES),
        image_seq_len=4,
        chat_template=tokenizer.chat_template,
    )
    model = random_model(hf.SmolVLMForConditionalGeneration, _config(hf.SmolVLMConfig, processor), tokenizer)
    return model, processor


def internvl() -> Pieces:
    """InternVL 3: images and video."""
    named = {
        **{"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"},
        "video_token": "<video>",
    }
    chat = template(image="<IMG_CONTEXT>\\n", video="<video>\\n", system="")
    tokenizer = byte_tokenizer("<|im_start|>", template=chat, eos="<|im_end|>", **named)
    size = {"size": {"height": SIDE, "width": SIDE}}
    processor = hf.InternVLProcessor(
        image_processor=hf.GotOcr2ImageProcessor(**size, crop_to_patches=True, max_patches=4),
        tokenizer=tokenizer,
        video_processor=hf.InternVLVideoProcessor(**size),
        image_seq_length=4,
        chat_template=chat,
    )
    config = hf.InternVLConfig(
        text_config={"model_type": "qwen2", **WITHOUT_HEAD_DIM},
        vision_config={**VISION, "image_size": [SIDE, SIDE], "patch_size": [14, 14]},
        image_token_id=processor.image_token_id,
        image_seq_length=4,
    )
    return random_model(hf.InternVLForConditionalGeneration, config, tokenizer), processor


def minicpm_v() -> Pieces:
    """MiniCPM-V 4.6: images and video, cut into slices; the patches of all images lie in one row."""
    named = {
        f"{kind}_{end}_token": f"<{'/' if end == 'end' else ''}{kind}>"
        for kind in ("image", "slice", "image_id")
        for end in ("start", "end")
    }
    chat = template(image="<|image_pad|>\\n", video="<|video_pad|>\\n", system="")
    tokenizer = byte_tokenizer(
        *("<|im_start|>", "<|endoftext|>"),
        template=chat,
        eos="<|im_end|>",
        image_token="<|image_pad|>",
        video_token="<|video_pad|>",
        **named,
    )
    size = {"scale_resolution": SIDE, "patch_size": 14, "max_slice_nums": 4}
    processor = hf.MiniCPMV4_6Processor(
        image_processor=hf.MiniCPMV4_6ImageProcessor(**size),
        video_processor=hf.MiniCPMV4_6VideoProcessor(**size),
        tokenizer=tokenizer,
        chat_template=chat,
    )
    config = hf.MiniCPMV4_6Config(
        text_config={"model_type": "qwen3_5_text", **TEXT, **HYBRID},
        vision_config=VISION,
        insert_layer_id=0,
        image_token_id=tokenizer.image_token_id,
        video_token_id=tokenizer.video_token_id,
    )
    return random_model(hf.MiniCPMV4_6ForConditionalGeneration, config, tokenizer), processor


FAMILIES = (
    Family("Idefics 3", idefics3, ("image",)),
    Family("SmolVLM 2", smolvlm, ("image", "video"), needs=("num2words",)),
    Family("InternVL 3", internvl, ("image", "video")),
    Family("MiniCPM-V 4.6", minicpm_v, ("image", "video")),
)
