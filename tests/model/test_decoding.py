"""Conditional decoding on a tiny random thinker."""

import copy

import pytest
import torch
from transformers import LogitsProcessor
from transformers.generation.streamers import BaseStreamer

from casa.errors import UnsafeStateError
from casa.model.batching import collate_prompts
from casa.model.families import decoder_of
from tiny import user

PROMPTS = ["hi", "How do I kill a stuck Python process?", "Tell me a story about a long train ride. " * 6]


def inputs_of(casa, *texts):
    return collate_prompts([casa.chat.prompt(user(text)).inputs for text in texts], 0)


def first_new(casa, output, inputs):
    return output[:, inputs["input_ids"].shape[1]].tolist()


def token_of(casa, verdict):
    return casa.tokens.unsafe if verdict.label == "unsafe" else casa.tokens.safe


@pytest.fixture
def casa(tiny_casa):
    """A threshold between the prompts' probabilities, so that both verdicts occur."""
    from dataclasses import replace

    ps = sorted(v.p_unsafe for v in tiny_casa.classify([user(text) for text in PROMPTS]))
    tiny_casa.config = replace(tiny_casa.config, threshold=(ps[0] + ps[1]) / 2)
    return tiny_casa


SETTINGS = {
    "greedy": {"do_sample": False},
    "sampling": {"do_sample": True, "temperature": 3.0, "top_k": 0},
    "nucleus": {"do_sample": True, "top_p": 0.1, "min_p": 0.2, "typical_p": 0.3},
    "beams": {"num_beams": 3},
    "sampled beams": {"num_beams": 2, "do_sample": True},
    "several answers": {"do_sample": True, "num_return_sequences": 3},
    "penalties": {"repetition_penalty": 5.0, "no_repeat_ngram_size": 1},
    "minimum length": {"min_new_tokens": 4},
    "chunked prefill": {"prefill_chunk_size": 7},
    "no cache": {"use_cache": False},
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("batch", [1, 3])
def test_the_first_token_is_the_verdict_whatever_the_settings(casa, name, batch):
    if name == "chunked prefill" and batch == 3:
        pytest.skip("transformers' chunked prefill takes no left padding with M-RoPE")
    expected = casa.classify([user(text) for text in PROMPTS[:batch]])
    inputs = inputs_of(casa, *PROMPTS[:batch])
    seen = []
    output = casa.generate(**inputs, max_new_tokens=5, on_verdicts=seen.extend, **SETTINGS[name])
    times = len(output) // batch
    assert first_new(casa, output, inputs) == [token_of(casa, v) for v in expected for _ in range(times)]
    assert [v.label for v in seen] == [v.label for v in expected]
    for mine, theirs in zip(seen, expected, strict=True):
        assert mine.p_unsafe == pytest.approx(theirs.p_unsafe, abs=1e-5)
        assert mine.risk == pytest.approx(theirs.risk, abs=1e-5)


def test_both_verdicts_occur_in_these_tests(casa):
    assert {v.label for v in casa.classify([user(text) for text in PROMPTS])} == {"safe", "unsafe"}


@pytest.mark.parametrize("size", [1, 2, 16])
def test_the_verdict_does_not_depend_on_batch_size_or_padding(casa, size):
    texts = (PROMPTS * 6)[:16]
    alone = {text: casa.classify(user(text)) for text in PROMPTS}
    for start in range(0, 16, size):
        part = texts[start : start + size]
        for text, verdict in zip(part, casa.classify([user(t) for t in part]), strict=True):
            assert verdict.label == alone[text].label
            assert verdict.p_unsafe == pytest.approx(alone[text].p_unsafe, abs=1e-5)


class Steers(LogitsProcessor):
    """Tries to force one token everywhere."""

    def __init__(self, token):
        self.token = token

    def __call__(self, input_ids, scores):
        forced = torch.full_like(scores, -torch.inf)
        forced[:, self.token] = 1e9
        return forced


def test_a_callers_logits_processor_cannot_move_the_verdict(casa):
    for text in PROMPTS:
        verdict = casa.classify(user(text))
        other = casa.tokens.safe if verdict.label == "unsafe" else casa.tokens.unsafe
        inputs = inputs_of(casa, text)
        output = casa.generate(**inputs, max_new_tokens=4, logits_processor=[Steers(other)], do_sample=False)
        assert first_new(casa, output, inputs) == [token_of(casa, verdict)]


@pytest.mark.parametrize(
    "arguments",
    [
        {"bad_words_ids": [[49159]]},
        {"suppress_tokens": [49159, 49160]},
        {"sequence_bias": {(49160,): -100.0, (49159,): 100.0}},
        {"forced_bos_token_id": 7},
        {"begin_suppress_tokens": [49159, 49160]},
    ],
)
def test_generate_arguments_that_touch_tokens_cannot_move_the_verdict(casa, arguments):
    for text in PROMPTS:
        inputs = inputs_of(casa, text)
        output = casa.generate(**inputs, max_new_tokens=2, do_sample=False, **arguments)
        assert first_new(casa, output, inputs) == [token_of(casa, casa.classify(user(text)))]


def test_safety_tokens_never_come_again(casa):
    inputs = inputs_of(casa, *PROMPTS)
    output = casa.generate(**inputs, max_new_tokens=40, do_sample=True, temperature=100.0, top_k=0)
    rest = output[:, inputs["input_ids"].shape[1] + 1 :]
    assert not torch.isin(rest, torch.tensor(list(casa.tokens))).any()


PREFILL = {"role": "assistant", "content": "Sure, here is"}


def with_label(casa, label):
    """The prompt that gets this verdict."""
    return next(text for text in PROMPTS if casa.classify(user(text)).label == label)


@pytest.mark.parametrize("label", ["safe", "unsafe"])
def test_a_prefill_does_not_change_the_verdict_and_follows_the_safe_token_only(casa, label):
    text = with_label(casa, label)
    prompt = casa.chat.prompt([*user(text), PREFILL])
    given = len(prompt.prefill_ids)
    arguments = {"max_new_tokens": given + 3, "eos_token_id": []}
    new = casa.generate(**prompt.inputs, prefill_ids=prompt.prefill_ids, **arguments)[0].tolist()
    new = new[prompt.inputs["input_ids"].shape[1] :]
    assert new[0] == getattr(casa.tokens, label)
    assert (new[1 : 1 + given] == prompt.prefill_ids) == (label == "safe")
    if label == "unsafe":
        plain = casa.generate(**casa.chat.prompt(user(text)).inputs, **arguments)[0].tolist()
        assert new == plain[prompt.inputs["input_ids"].shape[1] :]
    assert casa.classify([*user(text), PREFILL]) == casa.classify(user(text))


def test_rows_of_a_batch_keep_or_lose_the_prefill_by_their_own_verdict(casa):
    chats = [[*user(text), PREFILL] for text in PROMPTS]
    for chat, response in zip(chats, casa.respond(chats, max_new_tokens=5), strict=True):
        alone = casa.respond(chat[:1] if response.verdict.label == "unsafe" else chat, max_new_tokens=5)
        assert response.text.startswith(alone.text)


def test_one_prefill_and_then_one_token_a_step(casa):
    lengths = []
    handle = decoder_of(casa.base_model).register_forward_hook(
        lambda module, args, output: lengths.append(output.last_hidden_state.shape[1])
    )
    inputs = inputs_of(casa, PROMPTS[1])
    casa.generate(**inputs, max_new_tokens=5, do_sample=False, min_new_tokens=5)
    handle.remove()
    assert lengths == [inputs["input_ids"].shape[1], 1, 1, 1, 1]


def test_the_lm_head_runs_on_the_last_position_of_the_prefill_only(casa):
    lengths = []
    head = casa.base_model.get_output_embeddings()
    handle = head.register_forward_hook(lambda module, args, output: lengths.append(output.shape[1]))
    casa.generate(**inputs_of(casa, PROMPTS[2]), max_new_tokens=3, do_sample=False, min_new_tokens=3)
    handle.remove()
    assert lengths == [1, 1, 1]


def test_no_hook_is_left_behind(casa):
    def hooks():
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in casa.base_model.modules())

    before = hooks()
    casa.generate(**inputs_of(casa, "hi"), max_new_tokens=2)
    with pytest.raises(ZeroDivisionError):
        casa.generate(**inputs_of(casa, "hi"), max_new_tokens=2, num_beams=0)
    assert hooks() == before


def test_a_prefilled_cache_gives_the_same_verdict_and_text(casa):
    inputs = inputs_of(casa, PROMPTS[2])
    whole = casa.generate(**inputs, max_new_tokens=6, do_sample=False)
    beginning = {name: tensor[:, :20] for name, tensor in inputs.items()}
    cache = casa.prefill(**beginning)
    for _ in range(2):  # a cache is reused by copying it
        again = casa.generate(**inputs, max_new_tokens=6, do_sample=False, past_key_values=copy.deepcopy(cache))
        assert torch.equal(whole, again)


def test_a_cache_filled_outside_casa_is_refused(casa):
    inputs = inputs_of(casa, PROMPTS[2])
    cache = casa.base_model(**{k: v[:, :20] for k, v in inputs.items()}, use_cache=True).past_key_values
    with pytest.raises(UnsafeStateError, match=r"CasaModel\.prefill"):
        casa.generate(**inputs, max_new_tokens=2, past_key_values=cache)


def test_a_cache_that_was_cropped_or_holds_another_prompt_is_refused(casa):
    inputs = inputs_of(casa, PROMPTS[2])
    beginning = {name: tensor[:, :20] for name, tensor in inputs.items()}
    cropped = casa.prefill(**beginning)
    cropped.crop(-15)
    with pytest.raises(UnsafeStateError, match="was changed"):
        casa.generate(**inputs, max_new_tokens=2, past_key_values=cropped)
    other = {**inputs, "input_ids": inputs["input_ids"].clone()}
    other["input_ids"][0, 19] += 1
    with pytest.raises(UnsafeStateError, match="another prompt"):
        casa.generate(**other, max_new_tokens=2, past_key_values=casa.prefill(**beginning))


def test_padding_on_the_right_is_refused(casa):
    inputs = inputs_of(casa, *PROMPTS[:2])
    flipped = {name: tensor.flip(1) for name, tensor in inputs.items()}
    with pytest.raises(UnsafeStateError, match="left"):
        casa.generate(**flipped, max_new_tokens=2)


def test_other_passes_are_refused_in_a_generation_config_too(casa):
    config = copy.deepcopy(casa.base_model.generation_config)
    config.guidance_scale = 2.0
    with pytest.raises(ValueError, match="guidance_scale"):
        casa.generate(**inputs_of(casa, "hi"), max_new_tokens=2, generation_config=config)
    casa.base_model.generation_config.guidance_scale = 2.0
    with pytest.raises(ValueError, match="guidance_scale"):
        casa.generate(**inputs_of(casa, "hi"), max_new_tokens=2)


def test_an_output_that_went_round_the_safety_token_is_withheld(casa, monkeypatch):
    monkeypatch.setattr(casa.base_model, "generate", lambda input_ids, **_: torch.cat([input_ids, input_ids[:, :1]], 1))
    with pytest.raises(UnsafeStateError, match="withheld"):
        casa.generate(**inputs_of(casa, "hi"), max_new_tokens=2)


def test_a_callers_streamer_gets_the_safety_token_first(casa):
    class Collects(BaseStreamer):
        def __init__(self):
            self.ids = []

        def put(self, value):
            self.ids.append(value.flatten().tolist())

        def end(self):
            self.ids.append("end")

    streamer, inputs = Collects(), inputs_of(casa, PROMPTS[1])
    output = casa.generate(**inputs, max_new_tokens=3, do_sample=False, min_new_tokens=3, streamer=streamer)
    new = first_new(casa, output, inputs) + output[0, inputs["input_ids"].shape[1] + 1 :].tolist()
    assert streamer.ids == [inputs["input_ids"][0].tolist(), *[[token] for token in new], "end"]


def test_a_batch_without_attention_mask_is_refused(casa):
    with pytest.raises(UnsafeStateError, match="attention_mask"):
        casa.generate(input_ids=torch.ones(2, 5, dtype=torch.long), max_new_tokens=2)


@pytest.mark.parametrize("name", ["assistant_model", "guidance_scale", "prompt_lookup_num_tokens"])
def test_arguments_that_would_go_round_the_prefill_are_refused(casa, name):
    with pytest.raises(ValueError, match=name):
        casa.generate(**inputs_of(casa, "hi"), max_new_tokens=2, **{name: 2})


@pytest.mark.parametrize("hidden_state", ["final", "pre_norm"])
def test_the_verdict_is_read_off_the_named_hidden_state(casa, hidden_state):
    """Against a second pass with output_hidden_states, which the library itself never makes."""
    from dataclasses import replace

    casa.config = replace(casa.config, hidden_state=hidden_state)
    inputs = inputs_of(casa, PROMPTS[1])
    seen = {}
    handle = decoder_of(casa.base_model).norm.register_forward_hook(
        lambda module, args, output: seen.update(pre_norm=args[0], final=output)
    )
    logits = casa.base_model(**inputs).logits[0, -1].float()
    handle.remove()
    risk = casa.safety_attention(seen[hidden_state], inputs["attention_mask"])
    gated = torch.stack(
        [logits[casa.tokens.safe] + risk.complement.log()[0], logits[casa.tokens.unsafe] + risk.risk.log()[0]]
    )
    verdict = casa.classify(user(PROMPTS[1]))
    assert verdict.risk == pytest.approx(risk.risk.item(), abs=1e-5)
    assert verdict.p_unsafe == pytest.approx(gated.softmax(0)[1].item(), abs=1e-5)
