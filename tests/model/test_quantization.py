"""Which layers are quantised; with bitsandbytes installed, a whole QLoRA run on CPU."""

import importlib.util
from pathlib import Path

import pytest
import torch

from casa import CasaConfig, CasaModel
from casa.cache import cache_root
from casa.errors import MissingDependencyError
from casa.model.bases import empty_base, load_base, load_processor
from casa.model.families import decoder_of
from casa.model.quantization import BYTES_PER_WEIGHT, four_bit, quantized_layers
from casa.model.targets import lora_targets
from casa.nano.sources import LANGUAGE_MODEL, packaged_file
from casa.training.recipe import run_recipe

NANO = Path(__file__).parents[2] / "recipes" / "nano.yaml"
with_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="pip install 'casa-mllm[quantized]'"
)


def test_what_lora_adapts_is_quantised_and_nothing_outside_the_decoder(tiny_base_folder):
    model = empty_base(str(tiny_base_folder))
    names = quantized_layers(model)
    assert set(lora_targets(model)) <= set(names)
    assert set(names.values()) <= set(decoder_of(model).modules())
    assert model.get_output_embeddings() not in names.values()


def test_without_bitsandbytes_the_error_tells_what_to_install(tiny_base_folder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"casa-mllm\[quantized\]"):
        four_bit(str(tiny_base_folder))


@with_bitsandbytes
def test_a_quantised_model_is_trained_saved_and_loaded(tiny_base_folder, tmp_path):
    size = ("--max_train_examples", "16", "--per_device_train_batch_size", "4", "--max_steps", "2", "--lora_r", "2")
    short = ("--max_response_tokens", "4", "--dev_limit", "2", "--attention_epochs", "1", "--use_cpu", "true")
    fields = ("--base_model", str(tiny_base_folder), "--output_dir", str(tmp_path), "--quantization", "4bit")
    run_recipe(NANO, [*fields, *size, *short, "--benign_answers", "data", "--eval_strategy", "no", "--bf16", "true"])
    casa = CasaModel.from_pretrained(tmp_path, quantization_config=four_bit(str(tiny_base_folder)))
    assert not casa.classify([{"role": "user", "content": "hello"}]).failed
    layers = quantized_layers(empty_base(str(tiny_base_folder)))
    assert sum(weight.dtype == torch.uint8 for weight in casa.base_model.parameters()) == len(layers)


@with_bitsandbytes
def test_a_weight_takes_as_many_bytes_as_estimated():
    from bitsandbytes.functional import quantize_4bit

    weight = torch.randn(512, 512)
    packed, state = quantize_4bit(weight, blocksize=64, compress_statistics=True, quant_type="nf4")
    scales = state.absmax.nbytes + state.state2.absmax.nbytes
    assert (packed.nbytes + scales) / weight.numel() == pytest.approx(BYTES_PER_WEIGHT, rel=1e-3)


def test_a_gguf_file_is_a_base_model(tmp_path):
    gguf = packaged_file(LANGUAGE_MODEL, cache_root(), download=False)
    options = {"gguf_file": gguf.name}
    base = load_base(str(gguf.parent), torch.float32, **options)
    casa = CasaModel.attach(base, load_processor(str(gguf.parent), **options), CasaConfig())
    question = [{"role": "user", "content": "How do I bake bread?"}]
    casa.save_pretrained(tmp_path)
    loaded = CasaModel.from_pretrained(tmp_path, dtype=torch.float32, **options)
    assert not casa.classify(question).failed
    assert loaded.classify(question).p_unsafe == pytest.approx(casa.classify(question).p_unsafe, abs=1e-5)
