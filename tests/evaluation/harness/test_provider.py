"""Models answer inspect-ai's requests in batches, each as if it were alone."""

import anyio
import pytest
from inspect_ai.model import ChatMessageUser, GenerateConfig

from casa.baselines.folder import Saved, write_defence
from casa.baselines.methods import load_defence
from casa.errors import CasaError, MessageError
from casa.evaluation.harness import provider
from casa.evaluation.harness.conversion import VERDICT
from casa.evaluation.harness.provider import CasaAPI, DefenceAPI, UndefendedAPI
from tiny import user

GREEDY = GenerateConfig(max_tokens=4)


def asked(api, messages, config=GREEDY):
    """Answers to several conversations that come in at once; an exception where one failed."""
    found = {}

    async def ask(i, message):
        try:
            found[i] = await api.generate([message], [], "none", config)
        except Exception as error:
            found[i] = error

    async def all_at_once():
        async with anyio.create_task_group() as group:
            for i, message in enumerate(messages):
                group.start_soon(ask, i, message)

    anyio.run(all_at_once)
    return [found[i] for i in range(len(messages))]


@pytest.fixture
def api(tiny_casa_folder):
    return CasaAPI(str(tiny_casa_folder), batch_size=4)


def test_answers_do_not_depend_on_the_batch(api):
    texts = ["hi", "a longer line of text", "What is this?", "Who?", "Why are you here?"]
    outputs = asked(api, [ChatMessageUser(content=text) for text in texts])
    for text, output in zip(texts, outputs, strict=True):
        alone = api.casa.respond(user(text), 4)
        assert output.completion == alone.text
        assert output.metadata[VERDICT]["p_unsafe"] == pytest.approx(alone.verdict.p_unsafe, abs=1e-5)


def test_requests_that_wait_share_a_batch_up_to_its_size(api, monkeypatch):
    sizes = []
    outputs = api.outputs
    monkeypatch.setattr(api, "outputs", lambda chats, settings: sizes.append(len(chats)) or outputs(chats, settings))
    asked(api, [ChatMessageUser(content=f"{i}") for i in range(9)])
    assert sum(sizes) == 9 and max(sizes) == 4 and len(sizes) <= 4


def in_batches(api, lengths):
    """Lengths of conversations by batch, if all wait at once."""
    api._waiting.extend(provider._Request(user("x" * length), {}) for length in lengths)
    batches = []
    while api._waiting:
        oldest = api._waiting[0]
        batch = api._next_batch()
        assert oldest in batch
        batches.append(sorted(request.length for request in batch))
    return batches


def test_batches_hold_conversations_of_like_length_and_the_oldest_is_among_them(api, monkeypatch):
    monkeypatch.setattr(provider, "_CHARACTERS", 100)  # of four conversations: 400 with padding
    assert in_batches(api, [10, 150, 12, 151, 11, 152]) == [[10, 11, 12], [150, 151], [152]]
    assert in_batches(api, [1000, 10, 90, 100, 110]) == [[1000], [10, 90, 100], [110]]
    assert in_batches(api, [5] * 9) == [[5] * 4, [5] * 4, [5]]
    assert in_batches(api, [0, 0]) == [[0, 0]]


def test_requests_with_other_settings_wait_for_their_own_batch(api):
    api._waiting.extend(provider._Request(user("x"), {"max_new_tokens": n}) for n in (1, 2, 1))
    assert [len(api._next_batch()) for _ in range(2)] == [2, 1]


def test_a_medium_is_as_long_as_a_text_of_as_many_tokens():
    parts = [
        {"type": "image", "image": "a.png"},
        {"type": "text", "text": "What?"},
        {"type": "audio", "audio": "a.wav"},
    ]
    assert provider._Request([{"role": "user", "content": parts}], {}).length == 2 * provider._MEDIUM + 5


def test_a_bad_conversation_fails_alone(api):
    bad = ChatMessageUser(content="\ud800")
    good, failed, also_good = asked(api, [ChatMessageUser(content="hi"), bad, ChatMessageUser(content="ho")])
    assert isinstance(failed, MessageError)
    assert good.completion is not None and also_good.completion is not None


def test_the_base_model_gives_no_verdict(tiny_casa_folder):
    api = UndefendedAPI(str(tiny_casa_folder))
    (output,) = asked(api, [ChatMessageUser(content="hi")])
    assert output.metadata is None
    assert output.completion == api.base.respond(user("hi"), 4)


def test_the_base_model_is_the_same_by_its_own_name_and_by_every_methods(tiny_casa_folder, guard_folder):
    names = tiny_casa_folder, guard_folder, tiny_casa_folder.with_name("base")
    found = [asked(UndefendedAPI(str(name)), [ChatMessageUser(content="hi")])[0].completion for name in names]
    assert len(set(found)) == 1


def test_another_method_answers_with_its_verdict_and_without_v_s(guard_folder):
    api, texts = DefenceAPI(str(guard_folder), batch_size=2), ["hi", "What is this?", "Who?"]
    outputs = asked(api, [ChatMessageUser(content=text) for text in texts])
    for text, output in zip(texts, outputs, strict=True):
        (alone,) = load_defence(guard_folder).respond([user(text)], 4)
        verdict = output.metadata[VERDICT]
        assert (output.completion, verdict["label"]) == (alone.text, alone.verdict.label)
        assert verdict["p_unsafe"] == pytest.approx(alone.verdict.p_unsafe, abs=1e-5) and verdict["risk"] is None
    (failed,) = asked(api, [ChatMessageUser(content="hi")], GenerateConfig(temperature=0.7))
    assert isinstance(failed, CasaError) and "greedily" in str(failed)


def test_a_method_without_verdicts_gives_none_and_casa_its_own(tiny_casa, tiny_casa_folder, tmp_path):
    (tmp_path / "plain").mkdir()
    write_defence(tmp_path / "plain", Saved("pretrained", tiny_casa.base))
    (output,) = asked(DefenceAPI(str(tmp_path / "plain")), [ChatMessageUser(content="hi")])
    assert output.metadata is None and output.stop_reason == "stop"
    (own,) = asked(DefenceAPI(str(tiny_casa_folder)), [ChatMessageUser(content="hi")])
    assert 0 < own.metadata[VERDICT]["risk"] < 1


def test_only_a_temperature_samples(api, monkeypatch):
    seen = []
    monkeypatch.setattr(api, "outputs", lambda chats, settings: seen.append(settings) or [None] * len(chats))
    monkeypatch.setattr(
        api, "_answer", lambda batch: [setattr(r, "outcome", 1) or seen.append(r.settings) for r in batch]
    )
    asked(api, [ChatMessageUser(content="hi")], GenerateConfig(temperature=0))
    asked(api, [ChatMessageUser(content="hi")], GenerateConfig(temperature=0.7, top_p=0.9))
    assert seen == [
        {"max_new_tokens": 256},
        {"max_new_tokens": 256, "do_sample": True, "temperature": 0.7, "top_p": 0.9},
    ]


def test_tokens_are_counted_without_the_network(api):
    assert anyio.run(api.count_text_tokens, "How are you?") == len(api.casa.chat.tokenizer("How are you?")["input_ids"])
