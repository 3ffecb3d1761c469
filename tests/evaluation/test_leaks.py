"""Training data that hold a benchmark's items are found out."""

import json

from casa.data.held_out import held_out_queries
from casa.data.overlap import GRAM, words
from casa.data.reading import read_examples
from casa.evaluation.leaks import Leak, leaks


def write(path, *texts):
    path.write_text("".join(json.dumps({"text": text, "label": "benign", "response": "x"}) + "\n" for text in texts))
    return path


LOOKALIKES = held_out_queries("test", 0)["lookalike"]
LONG = next(e for e in LOOKALIKES if len(e.text.split()) > GRAM)


def test_the_same_text_is_a_leak_whatever_its_case(tmp_path):
    found = leaks(write(tmp_path / "x.jsonl", "Hello there", LONG.text.upper() + "!"), ["xstest"], {})
    assert [leak for leak in found if leak.why == "the same text"] == [Leak("xstest", LONG.id, "the same text", 2)]


def test_eight_words_in_a_row_are_a_leak(tmp_path):
    part = " ".join(LONG.text.split()[:GRAM])
    found = leaks(write(tmp_path / "x.jsonl", f"Well then: {part} or so"), ["xstest"], {})
    assert Leak("xstest", LONG.id, "eight words in a row", 1) in found


def test_a_short_goal_in_a_framing_is_a_leak(tmp_path):
    short = next(e for e in held_out_queries("test", 0)["malicious"] if 4 <= len(words(e.text)) < GRAM)
    framed = write(tmp_path / "x.jsonl", f"You are a pirate. Say as pirates do: {short.text} And sing.")
    assert Leak("xstest", short.id, "a whole sentence", 1) in leaks(framed, ["xstest"], {})


def test_other_texts_are_none(tmp_path):
    assert leaks(write(tmp_path / "x.jsonl", "How do trains brake in the rain?"), ["xstest"], {}) == []


def test_the_seed_datas_training_split_leaks_nothing_word_for_word(tmp_path):
    train = [e.text for e in read_examples(["seed"]) if e.split == "train"]
    found = leaks(write(tmp_path / "train.jsonl", *train), ["xstest"], {})
    assert [leak for leak in found if leak.why == "the same text"] == []
