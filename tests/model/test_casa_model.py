import numpy as np
import pytest
from PIL import Image

from casa.errors import MessageError
from casa.model.families import decoder_of
from casa.model.refusal import FIXED_REFUSAL
from tiny import user


def test_classify_takes_one_conversation_or_a_list(tiny_casa):
    one, many = tiny_casa.classify(user("hi")), tiny_casa.classify([user("hi"), user("a b c")])
    assert len(many) == 2
    assert many[0].p_unsafe == pytest.approx(one.p_unsafe, abs=1e-5)


def test_classify_runs_one_forward_pass_and_fills_no_cache(tiny_casa):
    calls = []
    handle = tiny_casa.base_model.register_forward_hook(lambda module, args, output: calls.append(output))
    tiny_casa.classify(user("hi"))
    handle.remove()
    assert len(calls) == 1
    assert calls[0].past_key_values is None
    assert calls[0].hidden_states is None


def test_explain_shares_v_s_out_over_the_prompts_tokens(tiny_casa):
    shares = tiny_casa.explain(user("kill a process"))
    assert sum(a.weight for a in shares) == pytest.approx(tiny_casa.classify(user("kill a process")).risk, abs=1e-5)
    assert "kill a process" in "".join(a.text for a in shares if not a.control)
    assert shares[0].text == "<|im_start|>" and shares[0].control


def test_respond_says_text_verdict_reason_and_usage(tiny_casa):
    response = tiny_casa.respond(user("hi"), max_new_tokens=5)
    assert response.verdict == tiny_casa.classify(user("hi"))
    assert response.finish_reason == ("content_filter" if response.verdict.label == "unsafe" else "length")
    assert response.usage.completion_tokens == 6
    assert response.usage.prompt_tokens == tiny_casa.chat.prompt(user("hi")).inputs["input_ids"].shape[1]
    assert "safe|>" not in response.text


def test_stream_gives_the_verdict_first_and_then_the_same_text(tiny_casa):
    events = list(tiny_casa.stream(user("hi"), max_new_tokens=12))
    response = tiny_casa.respond(user("hi"), max_new_tokens=12)
    assert events[0].verdict == response.verdict and events[0].text == ""
    assert all(event.verdict is None for event in events[1:])
    assert "".join(event.text for event in events).strip() == response.text


def test_a_stream_with_prefill_does_not_repeat_the_prefill(tiny_casa):
    messages = [*user("hi"), {"role": "assistant", "content": "Sure, here"}]
    text = "".join(event.text for event in tiny_casa.stream(messages, max_new_tokens=12))
    assert text.strip() == tiny_casa.respond(messages, max_new_tokens=12).text


def test_leaving_a_stream_ends_its_generation(tiny_casa):
    stream = tiny_casa.stream(user("hi"), max_new_tokens=5000, eos_token_id=[])
    next(stream)
    stream.close()
    assert tiny_casa.classify(user("hi"))  # the turn's lock is free again


def test_an_error_while_streaming_reaches_the_reader(tiny_casa):
    with pytest.raises(ValueError, match="temperature"):
        list(tiny_casa.stream(user("hi"), do_sample=True, temperature=-1.0))


@pytest.mark.parametrize("where", ["logits", "hidden", "attention", "key"])
def test_a_number_that_is_not_finite_means_unsafe_and_no_answer(tiny_casa, where):
    base = tiny_casa.base_model
    if where == "logits":
        rows = next(p for name, p in tiny_casa.named_parameters() if "trainable_tokens" in name)
        rows.data.fill_(float("nan"))
    elif where == "hidden":
        decoder_of(base).norm.weight.data.fill_(float("inf"))
    elif where == "attention":
        tiny_casa.safety_attention.bias.data.fill_(float("nan"))
    else:
        tiny_casa.safety_attention.key.weight.data[0, 0] = float("nan")
    verdict = tiny_casa.classify(user("hi"))
    assert verdict.label == "unsafe" and verdict.failed and verdict.p_unsafe == 1.0
    response = tiny_casa.respond(user("hi"), max_new_tokens=8)
    assert response.text == FIXED_REFUSAL
    assert response.usage.completion_tokens <= 2
    events = list(tiny_casa.stream(user("hi"), max_new_tokens=8))
    assert "".join(event.text for event in events) == FIXED_REFUSAL


def test_a_bad_row_does_not_spoil_its_neighbours(tiny_casa):
    """Attention over a prompt that holds one bad token embedding fails for that prompt only."""
    bad = tiny_casa.chat.tokenizer.convert_tokens_to_ids("Ġprocess")
    embedding = next(p for name, p in tiny_casa.named_parameters() if "embed_tokens" in name and len(p) > 2)
    embedding.data[bad] = float("nan")
    verdicts = tiny_casa.classify([user("kill a process"), user("hello there")])
    assert [v.failed for v in verdicts] == [True, False]


def test_only_lora_token_rows_and_safety_attention_train(tiny_casa):
    names = [name for name, parameter in tiny_casa.named_parameters() if parameter.requires_grad]
    assert names
    for name in names:
        assert "lora_" in name or "trainable_tokens" in name or name.startswith("safety_attention."), name
    assert not any("visual" in name or "audio_tower" in name for name in names)


def conversation(*parts):
    return [{"role": "user", "content": list(parts)}]


IMAGE = {"type": "image", "image": Image.new("RGB", (112, 84), "red")}
AUDIO = {"type": "audio", "audio": np.sin(np.arange(8000) / 9).astype(np.float32), "sampling_rate": 16000}
TEXT = {"type": "text", "text": "What is <|im_end|> this?"}


@pytest.mark.parametrize("parts", [(IMAGE,), (AUDIO,), (IMAGE, TEXT), (TEXT, AUDIO, IMAGE)])
def test_images_and_audio_go_the_same_way(tiny_casa, parts):
    """The verdict covers the media's hidden states, alone and in a batch with text."""
    alone = tiny_casa.classify(conversation(*parts))
    together = tiny_casa.classify([user("hi"), conversation(*parts), user("a longer line of text")])
    assert together[1].p_unsafe == pytest.approx(alone.p_unsafe, abs=1e-5)
    assert together[0].p_unsafe == pytest.approx(tiny_casa.classify(user("hi")).p_unsafe, abs=1e-5)
    shares = tiny_casa.explain(conversation(*parts))
    assert sum(a.weight for a in shares) == pytest.approx(alone.risk, abs=1e-5)
    assert tiny_casa.respond(conversation(*parts), max_new_tokens=4).verdict.label == alone.label


def test_the_verdict_depends_on_the_image(tiny_casa):
    other = {"type": "image", "image": Image.effect_noise((112, 84), 90)}
    assert tiny_casa.classify(conversation(IMAGE)).p_unsafe != tiny_casa.classify(conversation(other)).p_unsafe


def test_a_batch_is_answered_as_each_conversation_alone(tiny_casa):
    """Whatever its length, its media and its prefill."""
    begun = [*user("Tell me more"), {"role": "assistant", "content": "Sure,"}]
    chats = [user("hi"), begun, conversation(IMAGE, TEXT), user("a much longer line of text than that"), begun]
    together = tiny_casa.respond(chats, max_new_tokens=6)
    for chat, response in zip(chats, together, strict=True):
        alone = tiny_casa.respond(chat, max_new_tokens=6)
        assert (response.text, response.finish_reason, response.usage) == (alone.text, alone.finish_reason, alone.usage)
        assert response.verdict.p_unsafe == pytest.approx(alone.verdict.p_unsafe, abs=1e-5)


def test_a_malformed_conversation_in_a_batch_answers_none(tiny_casa):
    with pytest.raises(MessageError):
        tiny_casa.respond([user("hi"), [{"role": "nobody", "content": "x"}]], max_new_tokens=2)
