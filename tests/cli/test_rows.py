import json

import pytest

from casa.cli.rows import classify_rows, read_rows
from casa.errors import MessageError
from casa.model.outputs import Verdict

SAFE = Verdict("safe", 0.1, 0.2, 0.5)


class FakeCasa:
    """Calls every conversation safe, and refuses those that say "bad"."""

    def __init__(self):
        self.batches = []

    def classify(self, batch):
        self.batches.append(len(batch))
        if any(messages[0]["content"] == "bad" for messages in batch):
            raise MessageError("it is bad")
        return [SAFE] * len(batch)


def lines(*objects):
    return [json.dumps(each).encode() + b"\n" for each in objects]


def results(casa, raw, jsonl=True, batch_size=16):
    return [result.as_dict() for result in classify_rows(casa, read_rows(raw, jsonl), batch_size)]


def test_fields_are_passed_through_beside_the_verdict():
    assert results(FakeCasa(), lines({"text": "hi", "id": 7})) == [{"text": "hi", "id": 7, "verdict": SAFE.as_dict()}]


def test_rows_keep_their_order_around_bad_lines():
    raw = [*lines({"text": "a"}), b"{\n", b"\n", *lines({"text": "bad"}, {"text": "b"})]
    assert [row.get("text") or row["line"] for row in results(FakeCasa(), raw)] == ["a", 2, 4, "b"]


def test_a_bad_conversation_does_not_cost_its_batch_the_verdicts():
    outcomes = results(FakeCasa(), lines({"text": "a"}, {"text": "bad"}, {"text": "b"}))
    assert ["verdict" in row for row in outcomes] == [True, False, True]
    assert outcomes[1] == {"error": "it is bad", "line": 2}


def test_batches_have_the_asked_size():
    casa = FakeCasa()
    results(casa, lines(*({"text": str(i)} for i in range(5))), batch_size=2)
    assert casa.batches == [2, 2, 1]


def test_only_one_batch_is_read_ahead():
    def endless():
        while True:
            yield b'{"text": "x"}\n'

    stream = classify_rows(FakeCasa(), read_rows(endless(), jsonl=True), batch_size=3)
    assert next(stream).outcome == SAFE


def test_text_lines_are_prompts_and_empty_ones_are_skipped():
    assert [row["text"] for row in results(FakeCasa(), [b"one\r\n", b"  \n", b"{two}\n"], jsonl=False)] == [
        "one",
        "{two}",
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"[1]",
        b'{"id": 1}',
        b'{"text": "a", "messages": []}',
        b'{"text": 3}',
        b'{"messages": "a"}',
        b'{"text": "\xff"}',
        b"[" * 100_000,
    ],
)
def test_a_malformed_line_is_an_error_row(raw):
    (row,) = results(FakeCasa(), [raw])
    assert row["line"] == 1
    assert row["error"]


def test_a_byte_order_mark_is_ignored():
    assert "verdict" in results(FakeCasa(), [b"\xef\xbb\xbf" + lines({"text": "a"})[0]])[0]
