"""Settings of an engine: the processor is switched on, and what goes round it is refused."""

from types import SimpleNamespace

import pytest

pytest.importorskip("vllm")

from casa.errors import CheckpointError
from casa.serving.vllm import PROCESSOR
from casa.serving.vllm.engine import CasaEngineConfig, require_servable

from .parts import served

PARALLEL = ("pipeline_parallel_size", "decode_context_parallel_size", "prefill_context_parallel_size")


def engine_config(**changes):
    """An engine's configuration; `model__use_mla=True` changes `model_config.use_mla`."""
    parts = {
        "model": {
            "architecture": "CasaLlamaForCausalLM",
            "hf_config": SimpleNamespace(casa=served().as_dict()),
            "logits_processors": None,
            "multimodal_config": SimpleNamespace(limit_per_prompt={}),
            "enable_prompt_embeds": False,
            "use_mla": False,
            "is_hybrid": False,
            "quantization": None,
        },
        "cache": {"cache_dtype": "auto", "sliding_window": None, "kv_sharing_fast_prefill": False},
        "parallel": dict.fromkeys(PARALLEL, 1),
        "structured_outputs": {"reasoning_parser": ""},
    }
    whole = {"speculative_config": None, "lora_config": None, "kv_transfer_config": None}
    for name, value in changes.items():
        part, _, field = name.partition("__")
        (parts[part] if field else whole)[field or part] = value
    named = {f"{part}_config": SimpleNamespace(**values) for part, values in parts.items()}
    return SimpleNamespace(**named, **whole)


def test_the_processor_is_switched_on_and_goes_last():
    config = engine_config(model__logits_processors=[PROCESSOR, "other:Processor"])
    CasaEngineConfig.verify_and_update_config(config)
    assert config.model_config.logits_processors == ["other:Processor", PROCESSOR]


def test_grammars_wait_for_the_verdict_unless_for_another_parser():
    config = engine_config()
    CasaEngineConfig.verify_and_update_config(config)
    assert config.structured_outputs_config.reasoning_parser == "casa"
    config = engine_config(structured_outputs__reasoning_parser="qwen3")
    CasaEngineConfig.verify_and_update_config(config)
    assert config.structured_outputs_config.reasoning_parser == "qwen3"


def test_a_request_may_hold_no_medium_whose_tower_is_untrained():
    config = engine_config()
    CasaEngineConfig.verify_and_update_config(config)
    assert config.model_config.multimodal_config.limit_per_prompt["image"].count == 0


def test_an_engine_without_the_processor_is_refused():
    with pytest.raises(CheckpointError, match="must be on and last"):
        require_servable(engine_config())
    with pytest.raises(CheckpointError, match="must be on and last"):
        require_servable(engine_config(model__logits_processors=[PROCESSOR, "other:Processor"]))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"speculative_config": object()}, "speculative"),
        ({"lora_config": object()}, "LoRA"),
        ({"model__enable_prompt_embeds": True}, "prompt embeddings"),
        ({"cache__cache_dtype": "fp8"}, "fp8"),
        ({"cache__sliding_window": 4096}, "sliding window"),
        ({"model__use_mla": True}, "MLA"),
        ({"model__is_hybrid": True}, "state-space"),
        ({"parallel__pipeline_parallel_size": 2}, "pipeline"),
        ({"parallel__decode_context_parallel_size": 2}, "context parallelism"),
        ({"parallel__prefill_context_parallel_size": 2}, "context parallelism"),
        ({"kv_transfer_config": object()}, "connectors"),
        ({"model__quantization": "fp8"}, "quantised weights"),
        ({"cache__kv_sharing_fast_prefill": True}, "fast prefill"),
    ],
)
def test_what_goes_round_the_decision_is_refused(changes, named):
    with pytest.raises(CheckpointError, match=named):
        CasaEngineConfig.verify_and_update_config(engine_config(**changes))


def test_a_checkpoint_that_was_not_exported_is_refused():
    with pytest.raises(CheckpointError, match="casa export"):
        CasaEngineConfig.verify_and_update_config(engine_config(model__hf_config=SimpleNamespace()))
