"""A guard decides by two logits, before the model is asked at all."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from casa.baselines.adapters import with_lora
from casa.baselines.guard import (
    GUARD_PROMPT,
    ExternalGuardSettings,
    Guarded,
    GuardSettings,
    GuardTask,
    guard_around,
    question,
    verdict_logits,
    verdicts,
)
from casa.model.outputs import Verdict
from casa.model.refusal import FIXED_REFUSAL
from casa.training.batches import ConditionalCollator, ConditionalDataset
from casa.training.recipe import Recipe
from tiny import user

from .conftest import EXAMPLES

CHATS = [user("How are you?"), user("Tell me about trains, please, and about rails"), user("b")]


@pytest.fixture
def guard(tiny_base, processor):
    return guard_around(tiny_base, processor, GuardSettings(), threshold=0.5)


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.01, 1.0))
def test_the_larger_logit_decides_against_the_threshold(safe, unsafe, threshold):
    (verdict,) = verdicts(torch.tensor([[safe, unsafe]]), threshold)
    assert verdict.p_unsafe == pytest.approx(1 / (1 + math.exp(safe - unsafe)), abs=1e-5)
    assert (verdict.label == "unsafe") == (verdict.p_unsafe >= threshold)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_logit_that_is_no_number_is_unsafe(bad):
    (verdict,) = verdicts(torch.tensor([[0.0, bad]]), 0.5)
    assert verdict.label == "unsafe" and verdict.failed and verdict.p_unsafe == 1.0


def test_it_reads_the_whole_conversation_under_its_own_prompt_and_the_logits_of_yes_and_no(guard):
    tokenizer = guard.chat.tokenizer
    ids = guard.chat.prompt(CHATS[0]).inputs["input_ids"]
    assert GUARD_PROMPT in tokenizer.decode(ids[0]) and "How are you?" in tokenizer.decode(ids[0])
    with torch.no_grad():
        logits = guard.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -1]
    no, yes = (tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in ("no", "yes"))
    expected = torch.sigmoid(logits[yes] - logits[no]).item()
    assert guard.classify(CHATS[:1])[0].p_unsafe == pytest.approx(expected, abs=1e-5)


def test_verdicts_do_not_depend_on_the_batch(guard):
    together = [verdict.p_unsafe for verdict in guard.classify(CHATS)]
    alone = [guard.classify([chat])[0].p_unsafe for chat in CHATS]
    assert together == pytest.approx(alone, abs=1e-5)


def test_verdicts_may_begin_alike_and_must_part(guard):
    chat = guard.chat
    asked = question(chat, "Safety: Safe", "Safety: Unsafe")
    assert chat.tokenizer.decode(asked.given_ids).startswith("Safety:")
    assert asked.safe != asked.unsafe
    for same in (("yes", "yes"), ("Safety", "Safety: no")):
        with pytest.raises(ValueError, match="no token tells"):
            question(chat, *same)


def test_what_all_verdicts_begin_with_is_given_to_the_guard(tiny_base, processor):
    settings = ExternalGuardSettings("x", None, "Safety: Safe", "Safety: Unsafe")
    guard = guard_around(tiny_base, processor, settings, threshold=0.5)
    prompt = guard.chat.prompt(CHATS[0]).inputs["input_ids"]
    ids = torch.cat([prompt, torch.tensor([guard.asked.given_ids])], dim=1)
    with torch.no_grad():
        logits = guard.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -1]
    expected = torch.sigmoid(logits[guard.asked.unsafe] - logits[guard.asked.safe]).item()
    assert guard.classify(CHATS[:1])[0].p_unsafe == pytest.approx(expected, abs=1e-5)


class Judge:
    """Calls texts with a mark unsafe."""

    def classify(self, messages):
        return [Verdict("unsafe" if "b" in chat[-1]["content"] else "safe", 0.5, math.nan, 0.5) for chat in messages]


def test_what_is_unsafe_never_reaches_the_model_and_answers_keep_their_order(undefended, monkeypatch):
    asked = []
    respond = undefended.respond

    def spy(messages, max_new_tokens):
        asked.extend(chat[0]["content"] for chat in messages)
        return respond(messages, max_new_tokens)

    monkeypatch.setattr(undefended, "respond", spy)
    replies = Guarded(Judge(), undefended).respond([user("b"), user("hi"), user("b b"), user("you")], 3)
    assert asked == ["hi", "you"]
    assert [reply.text == FIXED_REFUSAL for reply in replies] == [True, False, True, False]
    assert [reply.text for reply in replies[1::2]] == respond([user("hi"), user("you")], 3)
    assert [reply.text for reply in Guarded(Judge(), undefended).respond([user("b")], 3)] == [FIXED_REFUSAL]


def test_a_guard_costs_a_prefill_of_its_own(guard, undefended):
    """Both are the tiny model here, so one count shows both prefills."""
    prefills = []
    handle = guard.model.get_decoder().register_forward_hook(
        lambda module, args, kwargs, output: prefills.append(output[0].shape[1]), with_kwargs=True
    )
    guard.threshold = 1.0
    Guarded(guard, undefended).respond([CHATS[0]], 1)
    handle.remove()
    lengths = [chat.prompt(CHATS[0]).inputs["input_ids"].shape[1] for chat in (guard.chat, undefended.chat)]
    assert [n for n in prefills if n > 1] == lengths


def test_training_teaches_yes_and_no(tiny_base, processor):
    guard = guard_around(tiny_base, processor, GuardSettings(), threshold=0.5)
    task = GuardTask(with_lora(tiny_base, Recipe("x", lora_r=4)), guard.asked, beta=1.0)
    prompts = [replace(example, answer=None) for example in EXAMPLES]
    items = ConditionalDataset(prompts, guard.chat, 32).items
    batch = ConditionalCollator(guard.chat, with_token=False)(items)
    logits = verdict_logits(tiny_base, batch["inputs"], guard.asked)
    expected = torch.nn.functional.cross_entropy(logits, batch["malicious"].long()).item()
    assert task(**batch)["loss"].item() == pytest.approx(expected, abs=1e-5)
    optimizer = torch.optim.AdamW([p for p in task.parameters() if p.requires_grad], lr=5e-3)
    for _ in range(100):
        optimizer.zero_grad()
        task(**batch)["loss"].backward()
        optimizer.step()
    found = guard.classify([e.messages() for e in EXAMPLES])
    assert [verdict.label == "unsafe" for verdict in found] == [e.malicious for e in EXAMPLES]
