"""An answer is told from a refusal and from words that fall apart."""

import pytest

from casa.evaluation.compliance import is_answer, is_collapsed


@pytest.mark.parametrize(
    ("text", "collapsed", "answer"),
    [
        ("", True, False),
        ("the the the the the the", True, False),
        ("Bread", True, False),
        ("No.", True, False),
        ("Trains run on rails of steel.", False, True),
        ("I can't help with that.", False, False),
    ],
)
def test_language_is_told_from_what_falls_apart_and_from_refusals(text, collapsed, answer):
    assert (is_collapsed(text), is_answer(text)) == (collapsed, answer)
