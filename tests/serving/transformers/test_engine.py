"""The transformers engine keeps every rule of the model, in batches."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest
import torch

from casa import CasaConfig, CasaModel
from casa.errors import MessageError
from casa.model.outputs import Verdict
from casa.serving.engine import Decided, Ended, EngineError, Sampling, Turn
from casa.serving.transformers import TransformersEngine
from tiny import user

PREFILL = {"role": "assistant", "content": "Sure, here is how"}


@pytest.fixture
def with_threshold(served_casa, monkeypatch):
    """Makes every verdict "safe" or "unsafe"."""
    return lambda threshold: monkeypatch.setattr(
        served_casa, "config", replace(served_casa.config, threshold=threshold)
    )


def run(model, work, batch_size=4):
    """What `work(engine)` returns, while the engine runs."""

    async def running():
        engine = TransformersEngine(model, batch_size)
        await engine.start()
        try:
            return await work(engine)
        finally:
            await engine.stop()

    return asyncio.run(running())


async def read(engine, turn):
    async with aclosing(engine.answer(turn)) as events:
        return [event async for event in events]


def answered(model, turns):
    """Events of turns that come in at once; an exception where one failed."""
    return run(model, lambda engine: asyncio.gather(*(read(engine, turn) for turn in turns), return_exceptions=True))


def text(events):
    return "".join(getattr(event, "text", "") for event in events).strip()


@pytest.mark.parametrize("threshold", [0.0001, 0.9999], ids=["unsafe", "safe"])
def test_a_prefill_follows_the_safe_token_only(served_casa, with_threshold, threshold):
    with_threshold(threshold)
    plain = user("Hello")
    turns = [Turn([*plain, PREFILL], Sampling(5)), Turn(plain, Sampling(5)), Turn([*plain, PREFILL], Sampling(3))]
    for turn, events in zip(turns, answered(served_casa, turns), strict=True):
        alone = served_casa.respond(turn.messages, turn.sampling.max_new_tokens)
        assert isinstance(events[0], Decided) and events[0].verdict.label == alone.verdict.label
        if alone.verdict.label == "safe" or turn.messages is plain:
            assert text(events) == alone.text
            assert events[-1].tokens == alone.usage.completion_tokens
        else:
            assert events[-1].tokens <= 1 + turn.sampling.max_new_tokens


def test_sampling_moves_no_verdict_and_each_row_draws_by_itself(served_casa):
    drawn = Sampling(8, temperature=2.0, seed=3)
    first = Turn(user("Hello"), drawn)
    others = [Turn(user(f"{i}?"), Sampling(8, temperature=1.5, top_p=0.8, seed=i)) for i in range(2)]
    (alone,) = answered(served_casa, [first])
    _, *together = answered(served_casa, [others[0], first, others[1], Turn(user("Hello"), Sampling(8))])
    assert text(together[0]) == text(alone)
    assert text(together[2]) == served_casa.respond(user("Hello"), 8).text
    for events in (alone, *together):
        assert isinstance(events[0].verdict, Verdict)
    assert together[0][0].verdict.label == served_casa.classify(user("Hello")).label


def test_safety_tokens_are_not_drawn_later(served_casa):
    names = served_casa.chat.tokenizer.convert_ids_to_tokens(list(served_casa.tokens))
    banned = list(served_casa.tokens)
    with torch.no_grad():
        events = answered(served_casa, [Turn(user("Hello"), Sampling(32, temperature=2.0, seed=s)) for s in range(4)])
    assert banned and all(name not in text(found) for name in names for found in events)


def test_safety_tokens_that_are_words_are_drawn_later_like_others(tiny_base, processor):
    casa = CasaModel.attach(tiny_base, processor, CasaConfig(safety_tokens="existing"), r=2).eval()
    (events,) = answered(casa, [Turn(user("Is it safe or unsafe?"), Sampling(4, temperature=0.011, seed=0))])
    assert isinstance(events[0], Decided)
    assert "unsafe unsafe" in text(events), "the tiny model repeats itself"


def test_turns_that_come_at_once_share_a_batch(served_casa, monkeypatch):
    sizes, generate = [], served_casa.generate
    monkeypatch.setattr(
        served_casa, "generate", lambda **given: sizes.append(len(given["input_ids"])) or generate(**given)
    )
    answered(served_casa, [Turn(user(f"{i}?"), Sampling(2)) for i in range(9)])
    assert sum(sizes) == 9 and max(sizes) > 1


def test_an_answer_that_nobody_reads_any_more_stops(served_casa, monkeypatch):
    lengths, generate = [], served_casa.generate

    def counted(**given):
        output = generate(**given)
        lengths.append(output.shape[1] - given["input_ids"].shape[1])
        return output

    async def leave(engine):
        async with aclosing(engine.answer(Turn(user("Hello"), Sampling(500)))) as events:
            await anext(events)
        while not lengths:
            await asyncio.sleep(0.01)

    monkeypatch.setattr(served_casa, "generate", counted)
    run(served_casa, leave)
    assert lengths[0] < 501


def test_a_bad_conversation_fails_alone(served_casa):
    turns = [Turn(user("Hello"), Sampling(2)), Turn(user("\ud800"), Sampling(2)), Turn(user("Hello"), Sampling(2))]
    good, failed, also_good = answered(served_casa, turns)
    assert isinstance(failed, MessageError)
    assert isinstance(good[-1], Ended) and text(good) == text(also_good)


def test_a_value_that_is_not_finite_is_unsafe_for_its_row_only(served_casa, monkeypatch):
    verdicts = served_casa._verdicts
    failed = Verdict("unsafe", 1.0, float("nan"), 0.5, failed=True)
    monkeypatch.setattr(served_casa, "_verdicts", lambda *given: [failed for _ in verdicts(*given)])
    assert run(served_casa, lambda engine: engine.classify([user("Hello")])) == [failed]


def test_a_model_that_fails_is_an_engine_error_for_the_whole_batch(served_casa, monkeypatch):
    def broken(**given):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(served_casa, "generate", broken)
    for error in answered(served_casa, [Turn(user("Hello"), Sampling(2))] * 2):
        assert isinstance(error, EngineError)


def test_a_first_token_that_was_not_decided_is_withheld(served_casa, monkeypatch):
    generate = served_casa.generate

    def reports_the_opposite(on_verdicts, **given):
        def turned(verdicts):
            on_verdicts([replace(v, label="safe" if v.label == "unsafe" else "unsafe") for v in verdicts])

        return generate(on_verdicts=turned, **given)

    monkeypatch.setattr(served_casa, "generate", reports_the_opposite)
    (error,) = answered(served_casa, [Turn(user("Hello"), Sampling(2))])
    assert isinstance(error, EngineError)


def test_a_generation_without_a_verdict_is_an_engine_error(served_casa, monkeypatch):
    monkeypatch.setattr(served_casa, "generate", lambda **given: None)
    (error,) = answered(served_casa, [Turn(user("Hello"), Sampling(2))])
    assert isinstance(error, EngineError)


def test_who_waits_when_the_engine_stops_hears_of_it(served_casa):
    async def stop_early(engine):
        waiting = [asyncio.ensure_future(read(engine, Turn(user(f"{i}"), Sampling(64)))) for i in range(9)]
        while not engine.waiting():
            await asyncio.sleep(0.01)
        await engine.stop()
        return await asyncio.gather(*waiting, return_exceptions=True)

    async def running():
        engine = TransformersEngine(served_casa, 2)
        await engine.start()
        return await stop_early(engine)

    found = asyncio.run(running())
    assert any(isinstance(outcome, EngineError) for outcome in found)
    assert all(isinstance(outcome, EngineError) or isinstance(outcome[-1], Ended) for outcome in found)


def test_an_answer_ends_with_the_models_window(served_casa):
    length = served_casa.chat.prompt(user("Hello")).inputs["input_ids"].shape[1]

    async def near_the_end(engine):
        engine._window = length + 1 + 3
        answer = await read(engine, Turn(user("Hello"), Sampling(50)))
        engine._window = length + 1
        with pytest.raises(MessageError, match="too long"):
            await read(engine, Turn(user("Hello"), Sampling(1)))
        with pytest.raises(MessageError, match="too long"):
            await engine.classify([user("Hello")])
        return answer

    assert run(served_casa, near_the_end)[-1] == Ended("length", 4)


def test_prompts_that_may_not_share_a_forward_pass_are_answered_one_after_the_other(served_casa, monkeypatch):
    """Some families' audio towers see the padding of others."""
    turns = [Turn(user(question), Sampling(4)) for question in ("Hello", "How do trains brake on ice?")]
    together = answered(served_casa, turns)
    rows = []
    generate = served_casa.generate
    monkeypatch.setattr(
        "casa.serving.transformers.engine.by_forward_pass", lambda model, prompts: [[i] for i in range(len(prompts))]
    )
    monkeypatch.setattr(
        served_casa, "generate", lambda **given: (rows.append(len(given["input_ids"])), generate(**given))[1]
    )
    apart = answered(served_casa, turns)
    assert rows == [1, 1]
    assert [text(events) for events in apart] == [text(events) for events in together]


def test_shares_of_v_s_are_the_models_own(served_casa):
    explained = run(served_casa, lambda engine: asyncio.to_thread(engine.explain, user("Hello")))
    alone = served_casa.explain(user("Hello"))
    assert [one.text for one in explained] == [one.text for one in alone]
    assert [one.weight for one in explained] == pytest.approx([one.weight for one in alone], abs=1e-6)
