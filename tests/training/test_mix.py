from collections import Counter
from dataclasses import replace

import pytest

from casa.data.held_out import in_framings
from casa.data.reading import Example, Template
from casa.errors import DataError
from casa.training.mix import (
    after_small_talk,
    apart_by_answer,
    bury,
    with_agreeing_openings,
    with_refusals,
    wrap,
)

JAILBREAKS = [Template(f"j{i}", "role", "train", f"J{i} {{query}}") for i in range(3)]
NEUTRAL = [Template("n", "neutral", "train", "N {query}")]
EXAMPLES = [
    Example(str(i), f"q{i}", i % 2 == 0, f"a{i}" if i % 4 else None, "plain", str(i), "train", "s") for i in range(2000)
]


def test_both_classes_are_wrapped_alike():
    wrapped = wrap(EXAMPLES, JAILBREAKS, NEUTRAL, 0.3, 0.1, seed=0)
    counts = Counter((e.malicious, e.text[0]) for e in wrapped)
    for malicious in (True, False):
        assert counts[malicious, "J"] / 1000 == pytest.approx(0.3, abs=0.05)
        assert counts[malicious, "N"] / 1000 == pytest.approx(0.1, abs=0.04)
    assert wrap(EXAMPLES, JAILBREAKS, NEUTRAL, 0.3, 0.1, seed=0) == wrapped


def test_wrapping_keeps_label_answer_and_group():
    for before, after in zip(EXAMPLES, wrap(EXAMPLES, JAILBREAKS, [], 1.0, 0.0, seed=0), strict=True):
        assert before.text in after.text
        assert (before.malicious, before.answer, before.group) == (after.malicious, after.answer, after.group)


def test_both_sides_of_a_pair_get_one_framing_and_one_place_in_harmless_text():
    pair = [replace(e, group="pair", text="QUERY") for e in EXAMPLES[:2]]
    for seed in range(20):
        framed = wrap(pair, JAILBREAKS, NEUTRAL, 0.5, 0.2, seed)
        assert framed[0].text == framed[1].text
        buried = bury(pair, 0.5, ["one", "two", "three"], 8, seed)
        assert buried[0].text == buried[1].text


def test_both_classes_are_buried_alike_in_one_to_the_most_paragraphs():
    buried = bury(EXAMPLES, 0.3, ["one", "two", "three"], 8, seed=0)
    around: dict[bool, list[int]] = {True: [], False: []}
    for before, after in zip(EXAMPLES, buried, strict=True):
        parts = after.text.split("\n\n")
        assert before.text in parts
        if after != before:
            assert after.kind == "plain+buried"
            around[after.malicious].append(len(parts) - 1)
    for counts in around.values():
        assert len(counts) / 1000 == pytest.approx(0.3, abs=0.05)
        assert set(counts) == set(range(1, 9))
        assert sum(count <= 2 for count in counts) / len(counts) == pytest.approx(0.44, abs=0.1)  # log 2.5 / log 8


def test_every_malicious_example_gets_a_refusal_and_no_benign_one_changes():
    filled = with_refusals(EXAMPLES, seed=0)
    assert all(e.answer for e in filled if e.malicious)
    assert [e for e in filled if not e.malicious] == [e for e in EXAMPLES if not e.malicious]


def test_refusal_variety_limits_how_many_are_taught():
    assert len({e.answer for e in with_refusals(EXAMPLES, seed=0, variety=5) if e.malicious}) == 5


def test_no_refusal_at_all_is_an_error():
    with pytest.raises(DataError, match="refusal"):
        with_refusals([replace(EXAMPLES[0], answer=None)], seed=0)


def test_data_without_any_refusal_are_given_others():
    (filled,) = with_refusals(
        [replace(EXAMPLES[0], malicious=True, answer=None)], 0, others=["I cannot help with that."]
    )
    assert filled.answer == "I cannot help with that."


def test_both_classes_follow_small_talk_alike_and_keep_their_query():
    mixed = after_small_talk(EXAMPLES, 0.2, seed=0)
    for malicious in (True, False):
        assert sum(bool(e.earlier) for e in mixed if e.malicious == malicious) / 1000 == pytest.approx(0.2, abs=0.04)
    harmless = {(e.text, e.answer) for e in EXAMPLES if not e.malicious}
    for before, after in zip(EXAMPLES, mixed, strict=True):
        assert set(after.earlier) <= harmless
        assert after.messages()[-1] == {"role": "user", "content": before.text}
        assert len(after.messages()) == 1 + 2 * len(after.earlier)
        assert (after.key() == before.text) == (not after.earlier)


def test_only_refusals_follow_agreeing_openings():
    mixed = with_agreeing_openings(EXAMPLES, 0.5, ["Sure, here is how:"], seed=0)
    assert not any(e.given for e in mixed if not e.malicious)
    assert sum(bool(e.given) for e in mixed if e.malicious) / 1000 == pytest.approx(0.5, abs=0.05)
    assert {e.given for e in mixed} == {"", "Sure,", "Sure, here", "Sure, here is", "Sure, here is how:"}


def test_what_is_drawn_for_one_example_does_not_depend_on_the_others():
    alone = after_small_talk(EXAMPLES, 0.5, seed=0)[7]
    assert (
        with_agreeing_openings(EXAMPLES[:10], 0.5, ["a b"], 0) == with_agreeing_openings(EXAMPLES, 0.5, ["a b"], 0)[:10]
    )
    assert (
        wrap([alone], JAILBREAKS, NEUTRAL, 0.5, 0.2, 0)[0]
        == wrap([*EXAMPLES[:3], alone], JAILBREAKS, NEUTRAL, 0.5, 0.2, 0)[3]
    )


def test_every_framing_is_a_different_one():
    framed = in_framings(EXAMPLES[:5], JAILBREAKS, 2, seed=0)
    assert len(framed) == 10
    assert len({e.id for e in framed}) == 10


def test_a_share_of_the_answers_is_taught_and_the_choice_is_stable():
    answered, verdict_only = apart_by_answer(EXAMPLES, 0.25, 0)
    assert len(answered) / len(EXAMPLES) == pytest.approx(0.25, abs=0.05)
    assert len(answered) + len(verdict_only) == len(EXAMPLES)
    assert set(answered) < set(EXAMPLES) and all(e.answer is None for e in verdict_only)
    assert apart_by_answer(EXAMPLES[::-1], 0.25, 0)[0] == answered[::-1]
    assert apart_by_answer(EXAMPLES, 1.0, 0) == (EXAMPLES, [])


def test_a_refusal_after_a_given_beginning_is_always_taught():
    given = replace(EXAMPLES[0], answer="No.", given="Sure, here")
    assert apart_by_answer([given], 0.0, 0) == ([given], [])
