"""Conversations that mistral-common renders: their text holds no control token, and their clips arrive unchanged."""

import numpy as np
import pytest
import torch

from casa import CasaConfig
from casa.errors import CasaError, MessageError
from casa.method import add_safety_tokens
from casa.model.messages import ChatFormat
from families.family import PARTS
from families.voxtral import CONTROL, RESERVED, tekken_tokenizer
from tiny import user

AUDIO, CLIP = CONTROL.index("[AUDIO]"), PARTS["audio"][0]


@pytest.fixture(scope="module")
def chat():
    pytest.importorskip("mistral_common")
    import transformers as hf

    tokenizer = tekken_tokenizer()
    processor = hf.VoxtralProcessor(hf.WhisperFeatureExtractor(feature_size=128), tokenizer)
    return ChatFormat(processor, add_safety_tokens(tokenizer, RESERVED), RESERVED)


def ids(chat, messages):
    return chat.prompt(messages).inputs["input_ids"][0].tolist()


def sound(text, clip=CLIP):
    return [{"role": "user", "content": [clip, {"type": "text", "text": text}]}]


def test_no_role_can_bring_in_a_control_token(chat):
    def conversation(text):
        return [{"role": role, "content": text} for role in ("system", "user", "assistant", "user")]

    neutral = chat.control.count(ids(chat, conversation("x")))
    assert sum(neutral.values()) == 8, "begin, two of the system prompt, two of each question, end of the answer"
    for token in (*CONTROL, RESERVED.safe_token, RESERVED.unsafe_token):
        found = ids(chat, conversation(f"a{token}b"))
        assert chat.control.count(found) == neutral, token
        assert chat.tokenizer.decode(found).count(f"a{token}b") == 4
        assert chat.control.count(ids(chat, sound(token))) == chat.control.count(ids(chat, sound("x"))), token


def test_a_prefill_is_plain_text_too(chat):
    prompt = chat.prompt([*user("hi"), {"role": "assistant", "content": "Sure</s>"}])
    assert chat.tokenizer.decode(prompt.prefill_ids) == "Sure</s>"
    assert not chat.control.count(prompt.prefill_ids)
    assert chat.control.plain_ids("Sure</s>") == prompt.prefill_ids


def test_a_clip_arrives_unchanged(chat):
    inputs = chat.prompt(sound("what is this?")).inputs
    assert inputs["input_ids"][0].tolist().count(AUDIO) == 375
    padded = np.pad(CLIP["audio"], (0, 480_000 - len(CLIP["audio"])))
    features = chat.processor.feature_extractor(padded, sampling_rate=16000, return_tensors="pt")["input_features"]
    assert torch.equal(inputs["input_features"], features)


def test_a_clip_longer_than_a_window_is_heard_to_its_end(chat):
    wave = np.random.default_rng(0).normal(size=31 * 16000).astype(np.float32) / 20
    inputs = chat.prompt(sound("x", {"type": "audio", "audio": wave, "sampling_rate": 16000})).inputs
    assert inputs["input_features"].shape == (2, 128, 3000)
    assert inputs["input_ids"][0].tolist().count(AUDIO) == 2 * 375


def test_what_the_tokenizer_does_not_take_is_a_clear_error(chat):
    system, tool = ({"role": role, "content": "Be brief."} for role in ("system", "tool"))
    with pytest.raises(MessageError, match="system messages"):
        chat.prompt([system, *sound("x")])
    with pytest.raises(MessageError, match="tool_call_id"):
        chat.prompt([tool])
    with pytest.raises(MessageError, match="cannot take image"):
        chat.prompt([{"role": "user", "content": [PARTS["image"][0]]}])
    with pytest.raises(MessageError, match="takes no tools"):
        chat.prompt(user("x"), tools=[{"type": "function", "function": {"name": "f"}}])


def test_the_tokenizer_of_a_text_only_model_does_alone(chat):
    alone = ChatFormat(chat.tokenizer, chat.tokens, RESERVED)
    talk = [{"role": "system", "content": "Be brief."}, *user("hi")]
    assert ids(alone, talk) == ids(chat, talk)
    with pytest.raises(MessageError, match="cannot take audio"):
        alone.prompt(sound("x"))


def test_a_raw_prompt_holds_text_only(chat):
    assert chat.raw_prompt(user("hi")).ids == ids(chat, user("hi"))
    with pytest.raises(MessageError, match="placeholder"):
        chat.raw_prompt(sound("x"))


def test_the_safety_tokens_are_reserved_ones_as_new_ones_are_not_taken(chat):
    assert list(chat.tokens) == [100, 101]
    with pytest.raises(CasaError, match="<SPECIAL_100>"):
        add_safety_tokens(chat.tokenizer, CasaConfig())


def test_existing_words_can_be_the_safety_tokens(chat):
    config = CasaConfig(safety_tokens="existing", safe_word="y", unsafe_word="n")
    tokens = add_safety_tokens(chat.tokenizer, config)
    assert chat.tokenizer.decode(list(tokens)) == "yn"
    worded = ChatFormat(chat.processor, tokens, config)
    assert worded.processor is chat.processor
    assert ids(worded, sound("y or n?")) == ids(chat, sound("y or n?"))
    with pytest.raises(CasaError, match="no single ordinary tokens"):
        add_safety_tokens(chat.tokenizer, CasaConfig(safety_tokens="existing"))


def test_an_answer_ends_with_the_tokenizers_own_end(chat):
    assert chat.end_of_turn_id() == chat.tokenizer.eos_token_id == CONTROL.index("</s>")
