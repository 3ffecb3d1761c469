"""What a CASA model asks of vLLM's engine: its logits processor is on, and nothing goes round it."""

from __future__ import annotations

from typing import Any

from vllm.config.multimodal import BaseDummyOptions
from vllm.model_executor.models.config import MODELS_CONFIG_MAP, VerifyAndUpdateConfig

from casa.errors import CheckpointError
from casa.serving.vllm import PARSER_NAME, PREFIX, PROCESSOR
from casa.serving.vllm.settings import ServedSettings

_OWN_CACHE_TYPES = ("auto", "bfloat16", "float16", "float32")


class CasaEngineConfig(VerifyAndUpdateConfig):
    """Runs when vLLM puts its configuration together, in the process that takes requests and in those that compute."""

    @staticmethod
    def verify_and_update_model_config(model_config: Any) -> None:
        """What the ordinary model does."""
        if base := _ordinary(model_config):
            base.verify_and_update_model_config(model_config)

    @staticmethod
    def verify_and_update_config(vllm_config: Any) -> None:
        """What the ordinary model does; then switches the logits processor on and refuses what goes round it.

        Structured output starts after the verdict, because the engine takes the verdict for the model's reasoning.

        Raises:
            CheckpointError: names every setting that would go round the decision.
        """
        model = vllm_config.model_config
        if base := _ordinary(model):
            base.verify_and_update_config(vllm_config)
        settings = ServedSettings.from_hf_config(model.hf_config)
        given = list(model.logits_processors or ())
        model.logits_processors = [*(p for p in given if p != PROCESSOR), PROCESSOR]
        structured = vllm_config.structured_outputs_config
        structured.reasoning_parser = structured.reasoning_parser or PARSER_NAME
        if media := model.multimodal_config:
            for kind in settings.untrained_media:
                media.limit_per_prompt[kind] = BaseDummyOptions(count=0)
        require_servable(vllm_config)


def require_servable(vllm_config: Any) -> None:
    """Refuses engine settings under which the decision would be skipped, or would not be about the whole prompt.

    Raises:
        CheckpointError: names all of them.
    """
    model, cache, parallel = vllm_config.model_config, vllm_config.cache_config, vllm_config.parallel_config
    reasons = {
        "the logits processor must be on and last": (list(model.logits_processors or ()) or [None])[-1] != PROCESSOR,
        "speculative decoding switches logits processors off": vllm_config.speculative_config is not None,
        "prompt embeddings cannot be checked for safety tokens": bool(getattr(model, "enable_prompt_embeds", False)),
        "LoRA adapters change the states that the decision was trained on": vllm_config.lora_config is not None,
        f"a {cache.cache_dtype} key/value cache rounds v_s": cache.cache_dtype not in _OWN_CACHE_TYPES,
        "in a model-wide sliding window v_s would forget the prompt's beginning": bool(cache.sliding_window),
        "MLA caches hold no ordinary keys": bool(model.use_mla),
        "models with state-space layers have not been tried": bool(model.is_hybrid),
        "pipeline parallelism has not been tried": parallel.pipeline_parallel_size > 1,
        "context parallelism has not been tried": max(
            parallel.decode_context_parallel_size, parallel.prefill_context_parallel_size
        )
        > 1,
        "key/value caches from elsewhere (KV connectors) have not been tried": vllm_config.kv_transfer_config
        is not None,
        "what quantised weights do to v_s has not been measured": model.quantization is not None,
        "fast prefill skips layers": bool(getattr(cache, "kv_sharing_fast_prefill", False)),
    }
    if refused := [reason for reason, holds in reasons.items() if holds]:
        raise CheckpointError("vLLM cannot serve CASA with these settings: " + "; ".join(refused))


def _ordinary(model_config: Any) -> Any:
    """The hook of the model without CASA, if it has one."""
    return MODELS_CONFIG_MAP.get(str(model_config.architecture).removeprefix(PREFIX))
