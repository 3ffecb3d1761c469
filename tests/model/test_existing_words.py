"""Safety tokens that are words of the vocabulary: the verdict is one of the two, and elsewhere they are words like any other."""

import copy
from dataclasses import replace

import pytest
import torch
from transformers import LogitsProcessor

from casa import CasaConfig, CasaModel
from casa.errors import CasaError, CheckpointError
from casa.model.checkpoint import load_trained_weights
from casa.model.merged import write_merged
from casa.model.messages import ChatFormat
from tiny import make_tiny_base, perturb, user

WORDS = CasaConfig(safety_tokens="existing")
TEXTS = ["Is it safe or unsafe?", "safe", " unsafe", "unsafely Safe, safe!", "A safe word: <|safe|>", "<|unsafe|>"]


@pytest.fixture
def casa(nano_folder, _processor):
    torch.manual_seed(1)
    return CasaModel.attach(make_tiny_base(nano_folder), copy.deepcopy(_processor), WORDS, r=2).eval()


@pytest.fixture
def folder(casa, nano_folder, tmp_path):
    make_tiny_base(nano_folder).save_pretrained(tmp_path / "base")
    casa.processor.save_pretrained(tmp_path / "base")
    casa.base["name"] = str(tmp_path / "base")
    perturb(casa)
    casa.save_pretrained(tmp_path / "casa")
    return tmp_path / "casa"


def test_nothing_is_added_and_no_row_is_changed_or_trained_apart(casa, nano_folder, _processor):
    assert casa.processor.tokenizer.backend_tokenizer.to_str() == _processor.tokenizer.backend_tokenizer.to_str()
    before = make_tiny_base(nano_folder).get_input_embeddings().weight
    assert torch.equal(casa.base_model.get_input_embeddings().weight, before)
    trained = {name for name, parameter in casa.model.named_parameters() if parameter.requires_grad}
    assert trained and all("lora_" in name for name in trained)


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_tokenized_as_ever(casa, _processor, text):
    untouched = _processor.tokenizer
    rendered = _processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "text", "text": text}]}], tokenize=False, add_generation_prompt=True
    )
    assert casa.chat.prompt(user(text)).inputs["input_ids"][0].tolist() == untouched(rendered)["input_ids"]
    plain = untouched(text, add_special_tokens=False)["input_ids"]
    assert casa.chat.prompt([*user("hi"), {"role": "assistant", "content": text}]).prefill_ids == plain
    assert casa.chat.text_ids(text) == plain


def test_text_beside_media_and_control_tokens_in_text_are_spliced_in(casa, tiny_casa, processor):
    from PIL import Image

    parts = [
        {"type": "image", "image": Image.new("RGB", (56, 56))},
        {"type": "text", "text": "safe? <|im_end|> unsafe"},
    ]
    conversation = [{"role": "user", "content": parts}]
    expected, found = tiny_casa.chat.prompt(conversation).inputs, casa.chat.prompt(conversation).inputs
    assert torch.equal(found["input_ids"], expected["input_ids"])
    assert found["input_ids"].max() < len(casa.processor.tokenizer), "what marks texts never reaches the model"


def test_the_end_of_a_turn_is_found(casa):
    assert casa.chat.tokenizer.decode([casa.chat.end_of_turn_id()]) == "<|im_end|>"


class Says(LogitsProcessor):
    """Forces one token everywhere."""

    def __init__(self, token):
        self.token = token

    def __call__(self, input_ids, scores):
        return torch.full_like(scores, -torch.inf).index_fill_(1, torch.tensor([self.token]), 1.0)


@pytest.mark.parametrize("threshold", [1e-6, 1.0])
@pytest.mark.parametrize("word", [0, 1])
def test_the_first_token_is_the_verdict_and_afterwards_the_words_may_come(casa, threshold, word):
    casa.config = replace(casa.config, threshold=threshold)
    inputs = casa.chat.prompt(user("Say safe.")).inputs
    said = casa.tokens[word]
    output = casa.generate(**inputs, max_new_tokens=4, logits_processor=[Says(said)], do_sample=False)
    decided = casa.tokens.unsafe if threshold < 0.5 else casa.tokens.safe
    assert output[0, inputs["input_ids"].shape[1] :].tolist() == [decided, said, said, said]


def test_a_given_beginning_with_the_words_comes_behind_the_verdict(casa):
    casa.config = replace(casa.config, threshold=1.0)
    prompt = casa.chat.prompt([*user("Hello"), {"role": "assistant", "content": " unsafe safe"}])
    output = casa.generate(**prompt.inputs, prefill_ids=prompt.prefill_ids, max_new_tokens=3, do_sample=False)
    new = output[0, prompt.inputs["input_ids"].shape[1] :].tolist()
    assert new == [casa.tokens.safe, casa.tokens.unsafe, casa.tokens.safe]


def test_the_verdicts_word_is_no_part_of_the_answer(casa):
    casa.config = replace(casa.config, threshold=1e-6)
    hello = casa.chat.tokenizer.convert_tokens_to_ids("Hello")
    arguments = {"max_new_tokens": 2, "logits_processor": [Says(hello)]}
    assert casa.respond(user("hi"), **arguments).text == "HelloHello"
    events = list(casa.stream(user("hi"), **arguments))
    assert events[0].verdict.label == "unsafe"
    assert "".join(event.text for event in events[1:]) == "HelloHello"


@pytest.mark.parametrize("merge", [True, False])
def test_a_model_is_the_same_after_saving_and_loading(casa, folder, merge):
    loaded = CasaModel.from_pretrained(folder, merge=merge)
    assert loaded.config == WORDS and loaded.tokens == casa.tokens
    for text in ("hi", "safe or unsafe?"):
        assert loaded.classify(user(text)).p_unsafe == pytest.approx(casa.classify(user(text)).p_unsafe, abs=1e-5)
        assert loaded.respond(user(text), 6).text == casa.respond(user(text), 6).text


def test_a_merged_checkpoint_in_plain_transformers_begins_with_one_of_the_words(folder, tmp_path):
    from transformers import AutoTokenizer, Qwen2_5OmniThinkerForConditionalGeneration

    casa = CasaModel.from_pretrained(folder)
    write_merged(casa, tmp_path / "merged")
    plain = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(tmp_path / "merged").eval()
    assert len(AutoTokenizer.from_pretrained(tmp_path / "merged")) == len(casa.processor.tokenizer)
    inputs = casa.chat.prompt(user("hello")).inputs
    assert plain.generate(**inputs, max_new_tokens=1, do_sample=False)[0, -1] in casa.tokens


def test_an_export_to_vllm_is_refused(folder, tmp_path):
    from casa.serving.vllm.export import export

    with pytest.raises(CheckpointError, match="safety_tokens 'existing' are words"):
        export(CasaModel.from_pretrained(folder), tmp_path / "served")
    assert not (tmp_path / "served").exists()


def test_a_model_with_new_tokens_cannot_start_one_with_words(casa, tiny_casa_folder):
    with pytest.raises(CheckpointError, match="does not fit"):
        load_trained_weights(casa, tiny_casa_folder)


def test_a_tokenizer_that_lacks_the_words_is_left_alone(tiny_base, processor):
    config = CasaConfig(safety_tokens="existing", safe_word="antidisestablishment")
    before = processor.tokenizer.backend_tokenizer.to_str()
    with pytest.raises(CasaError, match="antidisestablishment"):
        CasaModel.attach(tiny_base, processor, config)
    assert processor.tokenizer.backend_tokenizer.to_str() == before


def test_the_chat_format_needs_no_token_of_its_own_in_the_processor(processor, casa):
    tokenizer = copy.deepcopy(processor.tokenizer)
    tokenizer.chat_template = "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"
    chat = ChatFormat(tokenizer, casa.tokens, WORDS)
    assert chat.tokenizer.decode(chat.prompt(user("<|im_end|> safe")).inputs["input_ids"][0]).count("<|im_end|>") == 2
    assert len(tokenizer) == len(processor.tokenizer)
