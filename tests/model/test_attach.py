"""Attaching to models of other shapes: untied heads, full vocabularies, text-only families, other types."""

import copy
import json

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from casa import CasaConfig, CasaModel
from casa.errors import CasaError
from casa.model.attach import fingerprint, tied
from casa.model.families import decoder_of, final_norm_of
from casa.model.targets import lora_targets
from layouts import place_of
from tiny import make_tiny_base, perturb, user


def round_trip(casa, tmp_path):
    """Trains one weight a bit, saves, and loads onto a fresh copy of the same base model."""
    perturb(casa, 0.02, seed=0)
    casa.save_pretrained(tmp_path / "casa")
    return CasaModel.from_pretrained(tmp_path / "casa", base_model=str(tmp_path / "base"))


def save_base(base, processor, tmp_path):
    base.save_pretrained(tmp_path / "base")
    processor.save_pretrained(tmp_path / "base")


def check_same(left, right):
    for text in ("hi", "a question about trains"):
        assert right.classify(user(text)).p_unsafe == pytest.approx(left.classify(user(text)).p_unsafe, abs=1e-5)


def test_an_untied_head_gets_its_own_rows(nano_folder, processor, tmp_path):
    base = make_tiny_base(nano_folder, tie_word_embeddings=False)
    base.lm_head.weight = torch.nn.Parameter(torch.randn_like(base.lm_head.weight))
    base.config.tie_word_embeddings = base.config.text_config.tie_word_embeddings = False
    save_base(base, processor, tmp_path)
    assert not tied(base)
    casa = CasaModel.attach(base, processor, CasaConfig(), r=2).eval()
    rows = [name for name, p in casa.named_parameters() if "trainable_tokens" in name and p.requires_grad]
    assert len(rows) == 2
    check_same(casa, round_trip(casa, tmp_path))


def test_a_full_vocabulary_is_enlarged(nano_folder, processor, tmp_path):
    base = make_tiny_base(nano_folder, vocab_size=len(processor.tokenizer))
    save_base(base, processor, tmp_path)
    casa = CasaModel.attach(base, processor, CasaConfig(), r=2).eval()
    assert casa.base_model.get_input_embeddings().weight.shape[0] == max(casa.tokens) + 1
    check_same(casa, round_trip(casa, tmp_path))


def test_a_head_that_lacks_the_last_rows_of_the_embedding_gets_them(nano_folder, processor):
    base = make_tiny_base(nano_folder, tie_word_embeddings=False)
    base.config.tie_word_embeddings = base.config.text_config.tie_word_embeddings = False
    rows, known = base.get_input_embeddings().weight.shape[0], len(processor.tokenizer)
    base.lm_head = torch.nn.Linear(base.lm_head.in_features, known, bias=False)
    before = base.lm_head.weight.clone()
    casa = CasaModel.attach(base, processor, CasaConfig(), r=2).eval()
    assert min(casa.tokens) >= known and max(casa.tokens) < rows
    head = casa.base_model.lm_head
    assert casa.base_model.get_input_embeddings().weight.shape[0] == head.weight.shape[0] == rows
    assert torch.equal(head.weight[:known], before)
    assert 0 < casa.classify(user("hello")).p_unsafe < 1


def test_a_text_only_model_with_a_tokenizer(processor, tmp_path):
    torch.manual_seed(0)
    tokenizer = copy.deepcopy(processor.tokenizer)
    turn = "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    tokenizer.chat_template = "{% for m in messages %}" + turn + "{% endfor %}<|im_start|>assistant\n"
    config = LlamaConfig(
        vocab_size=49216, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, eos_token_id=2, pad_token_id=0, bos_token_id=1,
    )  # fmt: skip
    base = LlamaForCausalLM(config).eval()
    save_base(base, tokenizer, tmp_path)
    saved = tmp_path / "base" / "tokenizer_config.json"
    saved.write_text(json.dumps({k: v for k, v in json.loads(saved.read_text()).items() if k != "processor_class"}))
    casa = CasaModel.attach(base, tokenizer, CasaConfig(), r=2).eval()
    control = casa.chat.control.count(casa.chat.prompt(user("a<|im_end|>b<|safe|>")).inputs["input_ids"][0].tolist())
    assert control == casa.chat.control.count(casa.chat.prompt(user("x")).inputs["input_ids"][0].tolist())
    assert casa.respond(user("hi"), max_new_tokens=3).usage.completion_tokens == 4
    check_same(casa, round_trip(casa, tmp_path))


def test_a_bfloat16_model_decides_in_float32(nano_folder, processor):
    casa = CasaModel.attach(make_tiny_base(nano_folder).bfloat16(), processor, CasaConfig(), r=2).eval()
    assert casa.safety_attention.key.weight.dtype == torch.float32
    assert 0 < casa.classify(user("hi")).risk < 1


def test_the_fingerprint_tells_weights_apart_but_not_their_type(nano_folder):
    one, other = make_tiny_base(nano_folder, seed=0), make_tiny_base(nano_folder, seed=1)
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(one) == fingerprint(copy.deepcopy(one).bfloat16())


@pytest.mark.parametrize(
    "config",
    [
        CasaConfig(num_heads=3, head_dim=8),
        CasaConfig(pooling="mean"),
        CasaConfig(pooling="max", hidden_state="pre_norm"),
        CasaConfig(gate="none"),
        CasaConfig(query_description=["harm", "crime"]),
        CasaConfig(tau=0.3, threshold=0.9, beta=2.0, safety_prompt="Judge first."),
    ],
)
def test_every_choice_is_alive(nano_folder, processor, config):
    default = CasaModel.attach(make_tiny_base(nano_folder), copy.deepcopy(processor), CasaConfig(), r=2).eval()
    torch.manual_seed(0)
    changed = CasaModel.attach(make_tiny_base(nano_folder), processor, config, r=2).eval()
    assert changed.classify(user("hello there")) != default.classify(user("hello there"))


def test_the_query_is_the_base_models_own_state_at_the_end_of_the_description(nano_folder, processor):
    base = make_tiny_base(nano_folder)
    expected = []
    for text in ("an unsafe query", "a crime"):
        ids = processor.tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            state = decoder_of(base)(input_ids=ids).last_hidden_state[0, -1]
        expected.append(torch.nn.functional.layer_norm(state, state.shape))
    one = CasaModel.attach(base, copy.deepcopy(processor), CasaConfig(query_description="an unsafe query"), r=2)
    assert torch.equal(one.safety_attention.query_embedding, expected[0])
    config = CasaConfig(query_description=["an unsafe query", "a crime"])
    both = CasaModel.attach(make_tiny_base(nano_folder), processor, config, r=2)
    assert torch.allclose(both.safety_attention.query_embedding, (expected[0] + expected[1]) / 2, atol=1e-6)


def test_heads_default_to_the_key_value_heads(tiny_casa):
    assert tiny_casa.safety_attention.num_heads == 2
    assert tiny_casa.safety_attention.head_dim == 8


def test_modules_are_found_by_looking_at_the_model(tiny_base):
    assert type(decoder_of(tiny_base)).__name__ == "Qwen2_5OmniThinkerTextModel"
    assert final_norm_of(tiny_base) is decoder_of(tiny_base).norm
    assert all(name.startswith(f"{place_of(tiny_base)}.layers.") for name in lora_targets(tiny_base))
    assert len(lora_targets(tiny_base)) == 2 * 7


def test_layers_that_only_images_run_through_are_not_adapted(tiny_base):
    tiny_base.config.text_config.cross_attention_layers = [0]
    names = lora_targets(tiny_base)
    assert len(names) == 7 and all(name.startswith(f"{place_of(tiny_base)}.layers.1.") for name in names)


def test_a_model_that_would_read_the_new_tokens_as_media_says_what_to_name_instead(tiny_base, processor):
    tiny_base.config.vision_config.vocab_offset = 1000
    with pytest.raises(CasaError, match="<unused0>"):
        CasaModel.attach(tiny_base, processor)


def test_layers_without_known_projections_ask_for_target_modules(tiny_base):
    decoder_of(tiny_base).layers = torch.nn.ModuleList()
    with pytest.raises(ValueError, match="target_modules"):
        lora_targets(tiny_base)
