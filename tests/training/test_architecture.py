"""What is counted without weights is what a loaded and attached model has, family by family."""

import copy
from dataclasses import replace

import pytest
import torch

from casa import CasaModel
from casa.data.reading import Example
from casa.method.tokens import add_safety_tokens
from casa.model.bases import empty_base
from casa.model.families import decoder_of, tokenizer_of
from casa.model.targets import layers_of
from casa.training.architecture import read_architecture
from casa.training.batches import ConditionalCollator, ConditionalDataset
from casa.training.cost import layer_activations
from casa.training.step import ConditionalTask
from families.checks import lacking
from families.every import FAMILIES

NAMES = ("Qwen2.5-Omni", "Qwen3-Omni", "Qwen2.5-VL", "Gemma 3", "SmolVLM 2", "LLaVA-OneVision")  # those with recipes


@pytest.fixture(scope="module", params=NAMES)
def built(request):
    family = next(family for family in FAMILIES if family.name == request.param)
    if missing := lacking(family):
        pytest.skip(f"its processor needs {', '.join(missing)}")
    return (*family.build(), family.config)


def test_parameters_are_counted_as_in_a_loaded_model(built, tmp_path):
    base, processor, config = copy.deepcopy(built)
    base.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    tokens = add_safety_tokens(tokenizer_of(copy.deepcopy(processor)), config)
    shape = read_architecture(empty_base(str(tmp_path)), tokens, config, {"r": 4})
    assert shape.parameters == base.num_parameters()
    assert shape.weight_bytes["none"] == sum(p.nbytes for p in base.parameters())
    casa = CasaModel.attach(base, processor, config, r=4)
    trained = {name: p.numel() for name, p in casa.named_parameters() if p.requires_grad}
    assert shape.lora_parameters == sum(n for name, n in trained.items() if "lora_" in name)
    assert shape.token_parameters == sum(n for name, n in trained.items() if "trainable_tokens" in name)
    assert shape.attention_parameters == sum(n for name, n in trained.items() if "safety_attention" in name)
    assert shape.trainable == sum(trained.values())
    assert sum(shape.lora_layers.values()) == sum("lora_A" in name for name in trained)


def test_words_that_are_the_safety_tokens_have_no_rows_that_train_apart(built):
    base, processor, config = copy.deepcopy(built)
    words = replace(config, safety_tokens="existing", safe_word="y", unsafe_word="n")
    tokens = add_safety_tokens(tokenizer_of(processor), words)
    shape = read_architecture(copy.deepcopy(base), tokens, words, {"r": 4})
    casa = CasaModel.attach(base, processor, words, r=4)
    assert shape.token_parameters == 0
    assert shape.trainable == sum(p.numel() for p in casa.parameters() if p.requires_grad)


def test_of_a_dense_model_all_matrices_of_its_layers_are_active_and_of_experts_those_that_are_chosen(built):
    base, processor, config = copy.deepcopy(built)
    tokens = add_safety_tokens(tokenizer_of(processor), config)
    shape = read_architecture(copy.deepcopy(base), tokens, config, {"r": 4})
    matrices = [p.numel() for p in layers_of(base).parameters() if p.ndim == 2]
    experts = [p.numel() // 2 for p in layers_of(base).parameters() if p.ndim == 3]  # two of the four tiny ones
    assert shape.active_parameters == sum(matrices + experts)
    assert bool(experts) is bool(shape.routed)


def test_in_four_bits_only_the_decoder_shrinks(built):
    base, processor, config = copy.deepcopy(built)
    tokens = add_safety_tokens(tokenizer_of(processor), config)
    saved = []
    for model in (base, decoder_of(base)):
        linear = [m.weight.numel() for m in model.modules() if type(m) is torch.nn.Linear]
        saved.append(sum(linear) * (4 - 0.52))
    sizes = read_architecture(base, tokens, config, {"r": 4}).weight_bytes
    assert 0 < sizes["none"] - sizes["4bit"] <= saved[1] * 1.01 < saved[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_the_backward_pass_keeps_of_a_token_is_estimated_within_a_quarter(built, dtype):
    """Measured by the tensors that autograd saves, as the slope over prompts of two lengths."""
    measured = []
    for words in (10, 20):
        base, processor, config = copy.deepcopy(built)
        base = base.to(dtype)
        empty = copy.deepcopy(base)
        casa = CasaModel.attach(base, processor, config, r=2).train()
        for weight in casa.parameters():
            if weight.requires_grad:
                weight.data = weight.data.float()
        texts = [Example(str(i), "word " * words, i > 1, "No.", "plain", str(i), "train", "here") for i in range(4)]
        batch = ConditionalCollator(casa.chat)(ConditionalDataset(texts, casa.chat, 8).items)
        measured.append((batch["inputs"]["input_ids"].numel(), saved_bytes(casa, batch, dtype)))
    (fewer, less), (more, most) = measured
    estimate = layer_activations(read_architecture(empty, casa.tokens, config, {"r": 2}))
    assert estimate == pytest.approx((most - less) / (more - fewer), rel=0.25)


def saved_bytes(casa, batch, dtype):
    """Bytes that autograd keeps of a training step, weights apart."""
    weights = {tensor.untyped_storage().data_ptr() for tensor in (*casa.parameters(), *casa.buffers())}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # held, so that no address is used twice
        return tensor

    autocast = torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), autocast:
        ConditionalTask(casa)(**batch)
    return sum(size for size, _ in kept.values())
