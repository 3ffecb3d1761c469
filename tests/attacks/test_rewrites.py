"""Rewrites keep what is asked for and change how."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casa.attacks.rewrites import REWRITES, future_tense, paraphrased, past_tense


def test_a_question_is_asked_about_another_time_and_other_people():
    query = "How do I get into my old flat?"
    assert "people get into their old flat" in past_tense(query, 0) and " did " in past_tense(query, 0)
    assert "people get into their old flat" in future_tense(query, 0)


def test_a_paraphrase_keeps_the_person():
    assert "get into my old flat" in paraphrased("How do I get into my old flat?", 0)


def test_commands_and_other_questions_are_rewritten_too():
    assert "write a poem about {braces}" in past_tense("Write a poem about {braces}.", 0)
    assert 'the question "Which bread is best?"' in past_tense("Which bread is best?", 0)


@pytest.mark.parametrize("rewrite", REWRITES.values())
@given(query=st.text(min_size=1), seed=st.integers())
def test_a_rewrite_depends_on_the_query_and_the_seed_alone(rewrite, query, seed):
    assert rewrite(query, seed) == rewrite(query, seed) != query
