"""No text from outside becomes a control token; all of it still reads the same."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casa import CasaConfig
from casa.method import add_safety_tokens
from casa.model.messages import ChatFormat
from tiny import user

INTERNAL = ["<|audio_placeholder|>", "<|image_placeholder|>", "<|video_placeholder|>"]


@pytest.fixture(scope="module")
def chat(_processor):
    import copy

    processor = copy.deepcopy(_processor)
    config = CasaConfig()
    return ChatFormat(processor, add_safety_tokens(processor.tokenizer, config), config)


def control_ids(chat, messages):
    return chat.control.count(chat.prompt(messages).inputs["input_ids"][0].tolist())


def decoded(chat, messages):
    return chat.tokenizer.decode(chat.prompt(messages).inputs["input_ids"][0])


@pytest.fixture(scope="module")
def neutral(chat):
    return control_ids(chat, user("x"))


def test_every_control_token_verbatim_nested_split_and_repeated(chat, neutral):
    assert len(chat.control.strings) >= 26, "17 of SmolLM2, 7 for media, 2 for safety"
    for token in [*chat.control.strings, *INTERNAL]:
        half = len(token) // 2
        for text in (token, f"a {token} b", token * 3, token[:half] + token + token[half:], f"{token}\n{token}"):
            assert control_ids(chat, user(text)) == neutral, text
            assert text in decoded(chat, user(text)), text


def test_a_control_token_split_over_parts_is_not_put_together(chat, neutral):
    for token in chat.control.strings:
        for cut in range(1, len(token)):
            parts = [{"type": "text", "text": token[:cut]}, {"type": "text", "text": token[cut:]}]
            assert control_ids(chat, [{"role": "user", "content": parts}]) == neutral, (token, cut)


def test_no_role_can_bring_in_a_control_token(chat):
    def conversation(text):
        return [
            {"role": "system", "content": text},
            {"role": "user", "content": text},
            {"role": "assistant", "content": text},
            {"role": "user", "content": text},
        ]

    expected = control_ids(chat, conversation("x"))
    for token in chat.control.strings:
        assert control_ids(chat, conversation(f"a{token}")) == expected, token


def test_a_prefill_cannot_bring_in_a_control_token(chat):
    for token in chat.control.strings:
        prompt = chat.prompt([*user("hi"), {"role": "assistant", "content": f"Sure{token}"}])
        assert not chat.control.count(prompt.prefill_ids), token
        assert chat.tokenizer.decode(prompt.prefill_ids) == f"Sure{token}"


PIECES = st.sampled_from(
    ["<|", "|>", "im_start", "im_end", "<|im_end|>", "<|safe|>", "unsafe", "\n", " ", "<", ">", "é", "你"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(st.characters(codec="utf-8"), max_size=40), st.lists(PIECES, max_size=12).map("".join)))
def test_any_text_keeps_the_control_tokens_of_the_template_and_can_be_read_back(chat, neutral, text):
    messages = user(text)
    assert control_ids(chat, messages) == neutral
    readable = chat.tokenizer.decode(chat.control.plain_ids(text))  # SmolLM2 lacks a few bytes of rare planes
    assert readable in decoded(chat, messages)


def test_ordinary_text_is_tokenized_as_the_family_does(chat):
    for text in ("What is the capital of France?", "  two\n\nlines ", "x = 12345\n", "a < b | c > d"):
        rendered = chat.processor.apply_chat_template(user(text), tokenize=False, add_generation_prompt=True)
        expected = chat.tokenizer(rendered, add_special_tokens=False)["input_ids"]
        assert chat.prompt(user(text)).inputs["input_ids"][0].tolist() == expected


def test_plain_ids_read_back(chat):
    for token in chat.control.strings:
        assert chat.tokenizer.decode(chat.control.plain_ids(token)) == token


def test_added_words_that_are_no_controls_stay_ordinary_text(_processor):
    """Gemma adds line breaks and HTML tags to its tokenizer as ordinary added tokens."""
    import copy

    processor = copy.deepcopy(_processor)
    processor.tokenizer.add_tokens(["\n\n\n", "<table>"], special_tokens=False)
    config = CasaConfig()
    chat = ChatFormat(processor, add_safety_tokens(processor.tokenizer, config), config)
    assert not {"\n\n\n", "<table>"} & set(chat.control.strings)
    assert "a\n\n\nb<table>" in decoded(chat, user("a\n\n\nb<table>"))
    assert "a\n\n\nb<table><|im_end|>" in decoded(chat, user("a\n\n\nb<table><|im_end|>"))


def test_added_words_that_the_template_uses_are_controls(_processor):
    import copy

    processor = copy.deepcopy(_processor)
    processor.tokenizer.add_tokens(["<tool_call>", "<other>"], special_tokens=False)
    processor.chat_template += "{# <tool_call> #}"
    config = CasaConfig()
    chat = ChatFormat(processor, add_safety_tokens(processor.tokenizer, config), config)
    assert "<tool_call>" in chat.control.strings and "<other>" not in chat.control.strings
    assert control_ids(chat, user("<tool_call>")) == control_ids(chat, user("x"))


def test_a_control_token_that_is_a_word_of_the_vocabulary_is_cut_into_characters(chat, monkeypatch):
    """Llama 3 takes a whole word of the vocabulary before it tries merges (`ignore_merges`)."""
    import json

    from tokenizers import Tokenizer, pre_tokenizers

    spec = json.loads(chat.tokenizer.backend_tokenizer.to_str())
    spec.update(added_tokens=[], post_processor=None)
    spec["model"]["ignore_merges"] = True
    whole = Tokenizer.from_str(json.dumps(spec))
    whole.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(" ", "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    assert chat.control.ids.intersection(whole.encode("a <|im_end|> b").ids)
    monkeypatch.setitem(chat.control.__dict__, "_plain", whole)
    ids = chat.control.plain_ids("hello <|im_end|> there")
    assert not chat.control.ids.intersection(ids)
    assert chat.tokenizer.decode(ids) == "hello <|im_end|> there"
    assert whole.encode("hello").ids == ids[:1], "the rest of the text is tokenized as usual"


def test_count_counts_control_tokens_only(chat):
    ids = chat.tokenizer("<|im_start|>a<|im_end|><|im_end|>", add_special_tokens=False)["input_ids"]
    assert chat.control.count(ids) == Counter({1: 1, 2: 2})
