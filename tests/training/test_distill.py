import json

from casa.data.reading import Example
from casa.model.messages import ChatFormat
from casa.training.distill import base_answers, with_base_answers

TEXTS = ["hi", "How are you?", "Tell me about trains.", "b", "a"]


def example(text, malicious=False, earlier=()):
    return Example(text, text, malicious, "old", "plain", text, "train", "test", earlier=earlier)


def answered(casa, cache, texts=TEXTS):
    asked = [example(text) for text in texts]
    return base_answers(casa.base_model, casa.chat, asked, max_new_tokens=4, batch_size=2, cache=cache)


def test_an_interrupted_run_goes_on_and_ends_with_the_same_answers(tiny_casa, tmp_path):
    whole = answered(tiny_casa, tmp_path / "whole.jsonl")
    lines = (tmp_path / "whole.jsonl").read_bytes().split(b"\n")
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(b"\n".join(lines[:3]) + b"\n" + lines[3][:9])
    assert answered(tiny_casa, torn) == whole
    assert {json.loads(line)["text"] for line in torn.read_text().splitlines()} == set(TEXTS)


def test_nothing_is_answered_twice(tiny_casa, tmp_path):
    answered(tiny_casa, tmp_path / "cache.jsonl")
    before = (tmp_path / "cache.jsonl").read_bytes()
    answered(tiny_casa, tmp_path / "cache.jsonl", [*TEXTS, "hi"])
    assert (tmp_path / "cache.jsonl").read_bytes() == before


def test_earlier_turns_are_part_of_what_is_asked(tiny_casa, tmp_path, monkeypatch):
    turned, prompts = example("hi", earlier=(("Who was Bach?", "A composer."),)), []
    generate = tiny_casa.base_model.generate

    def spy(**inputs):
        prompts.append(tiny_casa.chat.tokenizer.decode(inputs["input_ids"][0]))
        return generate(**inputs)

    monkeypatch.setattr(tiny_casa.base_model, "generate", spy)
    found = base_answers(tiny_casa.base_model, tiny_casa.chat, [turned, example("hi")], 8, 1, tmp_path / "c.jsonl")
    assert set(found) == {"hi", turned.key()}
    assert ["A composer." in prompt for prompt in prompts] == [False, True]


def test_benign_examples_take_the_base_answers_and_refused_ones_are_left_out(tiny_casa):
    chat: ChatFormat = tiny_casa.chat
    end = chat.end_of_turn_id()
    ids = {
        "a": [*chat.text_ids("Trains run on rails."), end],
        "b": chat.text_ids("A long answer that was cut"),
        "c": [*chat.text_ids("I'm sorry, but I can't help with that."), end],
    }
    kept = with_base_answers([example("a"), example("b"), example("c"), example("d", malicious=True)], ids, chat)
    assert [(e.text, e.answer, e.complete) for e in kept] == [
        ("a", "Trains run on rails.", True),
        ("b", "A long answer that was cut", False),
        ("d", "old", True),
    ]
