"""casa-nano's network: Qwen2.5-Omni's thinker around SmolLM2-135M-Instruct."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from casa.model.families import decoder_of
from casa.nano.audio.whisper import TINY_EN
from casa.nano.processor import MEDIA_TOKENS

TOWER_SEED = 20251
# Of the 32 rotary frequencies, how many turn with time, row and column, the highest first. Text does not depend on it. A picture's
# pieces are read in order where columns turn fast: with Qwen's own shares (8, 12, 12) neighbours differ by less than 0.001.
MROPE_SECTION = [0, 2, 30]
ROWS_MULTIPLE = 64


def load_smollm2(gguf: Path) -> Any:
    """SmolLM2 as transformers reads it from the GGUF file, in float32, its "quantized" mark cleared."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    model.config.quantization_config = None
    return model.eval()


def omni_config(
    language: Any,
    tokenizer: Any,
    vision_shape: dict[str, Any],
    audio_shape: dict[str, int],
    untrained_media: list[str],
) -> Any:
    """The full `Qwen2_5OmniConfig` (thinker nested) whose text model has SmolLM2's shape.

    Args:
        language: SmolLM2's `LlamaConfig`.
        tokenizer: casa-nano's tokenizer, for the control tokens' ids.
        vision_shape: of a trained vision tower, in place of the default one; may be empty.
        audio_shape: likewise of a trained audio tower.
        untrained_media: media that are refused, since their towers have random weights.
    """
    from transformers import Qwen2_5OmniConfig

    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in MEDIA_TOKENS.items()}
    rows = -(-(len(tokenizer) + 2) // ROWS_MULTIPLE) * ROWS_MULTIPLE  # room for the two safety tokens
    text = {
        "vocab_size": rows,
        "hidden_size": language.hidden_size,
        "intermediate_size": language.intermediate_size,
        "num_hidden_layers": language.num_hidden_layers,
        "num_attention_heads": language.num_attention_heads,
        "num_key_value_heads": language.num_key_value_heads,
        "rms_norm_eps": language.rms_norm_eps,
        "max_position_embeddings": language.max_position_embeddings,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": language.rope_parameters["rope_theta"],
            "mrope_section": MROPE_SECTION,
        },
        "tie_word_embeddings": True,
        "bos_token_id": tokenizer.convert_tokens_to_ids("<|im_start|>"),
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    audio = {**TINY_EN, "output_dim": language.hidden_size, **audio_shape}
    vision = {
        "depth": 6,
        "hidden_size": 256,
        "intermediate_size": 768,
        "num_heads": 4,
        "out_hidden_size": language.hidden_size,
        "fullatt_block_indexes": [1, 3, 5],
        **vision_shape,
    }
    thinker = {
        "text_config": text,
        "audio_config": audio,
        "vision_config": vision,
        "audio_token_index": ids["audio_token"],
        "image_token_index": ids["image_token"],
        "video_token_index": ids["video_token"],
        "audio_start_token_id": ids["audio_bos_token"],
        "audio_end_token_id": ids["audio_eos_token"],
        "vision_start_token_id": ids["vision_bos_token"],
        "vision_end_token_id": ids["vision_eos_token"],
        "user_token_id": tokenizer.convert_tokens_to_ids("user"),
        "tie_word_embeddings": True,
        "embedded_name": "casa-nano",
        "untrained_media": untrained_media,
    }
    return Qwen2_5OmniConfig(thinker_config=thinker, enable_audio_output=False)


def build_thinker(config: Any, language: Any) -> Any:
    """The thinker with SmolLM2's weights inside; towers get seeded random weights until they are trained.

    Args:
        config: from `omni_config`.
        language: SmolLM2's `LlamaForCausalLM`.
    """
    from transformers import Qwen2_5OmniThinkerForConditionalGeneration

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(TOWER_SEED)
        thinker = Qwen2_5OmniThinkerForConditionalGeneration(config.thinker_config).float().eval()
    put_language(thinker, language)
    return thinker


def put_language(thinker: Any, language: Any) -> None:
    """Puts SmolLM2's weights into a thinker of its shape; whatever was merged into its language model is gone.

    Qwen2's projections have biases that SmolLM2 lacks: they are zero. Rows of added tokens are zero, so their logits are.

    Args:
        thinker: changed in place.
        language: SmolLM2's `LlamaForCausalLM`.
    """
    weights = dict(language.model.state_dict())
    decoder = decoder_of(thinker)
    embedding: torch.Tensor = thinker.get_input_embeddings().weight
    rows = weights.pop("embed_tokens.weight")
    with torch.no_grad():
        embedding.zero_()
        embedding[: len(rows)] = rows
    missing, unexpected = decoder.load_state_dict(weights, strict=False)
    biases = [name for name in missing if name.endswith("_proj.bias")]
    if unexpected or set(missing) - set(biases) - {"embed_tokens.weight"}:
        raise RuntimeError(f"SmolLM2 does not fit the thinker: missing {missing}, unexpected {unexpected}")
    with torch.no_grad():
        for name in biases:
            decoder.get_parameter(name).zero_()
    thinker.tie_weights()
