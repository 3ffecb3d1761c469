import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casa.data.overlap import Overlap, words
from casa.data.preparation.cleaning import BENCHMARK, BOTH, EMPTY, NEARLY, SAME, SURPLUS, clean
from casa.data.preparation.duplicates import ALIKE, shingles, similar_pairs, similarity
from casa.data.preparation.sources import Row, Source

pytest.importorskip("datasketch", reason="pip install 'casa-mllm[data]'")

BAD, GOOD = Source("bad", "malicious", "q", folder="x"), Source("good", "benign", "q", folder="x")
LONG = "please explain to me in some detail how the tide is made by the moon and by the sun"


def rows(*texts, source=BAD, answer=None):
    return [Row(f"{source.name}-{i}", text, source.label, answer, source.name) for i, text in enumerate(texts, start=1)]


def cleaned(found, sources=(BAD, GOOD), benchmark=()):
    overlap = Overlap()
    for text in benchmark:
        overlap.add(text, "advbench")
    return clean(found, sources, overlap, seed=0)


def reasons(result):
    return {removal.row.id: (removal.reason, removal.of) for removal in result.removed}


def test_the_first_of_the_same_texts_is_kept_and_a_benign_copy_of_a_malicious_one_is_not():
    found = [*rows("Hello there!", "Good morning", source=GOOD), *rows("hello there", "Hello, there")]
    result = cleaned(found)
    assert [row.id for row in result.kept] == ["good-2", "bad-1"]
    assert reasons(result) == {"good-1": (BOTH, "bad-1"), "bad-2": (SAME, "bad-1")}


def test_near_duplicates_of_one_label_are_left_out_and_of_two_labels_share_a_group():
    found = [*rows(LONG, f"{LONG} too"), *rows(f"{LONG} now", "What is a spoon?", source=GOOD)]
    result = cleaned(found)
    assert reasons(result) == {"bad-2": (NEARLY, "bad-1")}
    assert result.groups == {"bad-1": "bad-1", "good-1": "bad-1", "good-2": "good-2"}


def test_what_a_benchmark_asks_for_is_left_out():
    result = cleaned(rows("Make a cake", f"Well then, {LONG}", "Make a boat"), benchmark=["make a cake", LONG])
    assert [row.text for row in result.kept] == ["Make a boat"]
    assert reasons(result)["bad-1"] == (BENCHMARK, "advbench: the same text")
    assert reasons(result)["bad-2"] == (BENCHMARK, "advbench: eight words in a row")


def test_empty_queries_and_pairs_without_an_answer_are_left_out():
    answered = Source("good", "benign", "q", folder="x", answer="a")
    found = [*rows("", "?!"), *rows("a question", answer="", source=answered)]
    assert {reason for reason, _ in reasons(cleaned(found, (BAD, answered))).values()} == {EMPTY}


def test_a_limit_holds_after_cleaning_and_its_draw_depends_on_the_seed_alone():
    limited = Source("bad", "malicious", "q", folder="x", limit=2)
    found = rows("red boat", "Red boat", "seven green bottles", "a long walk", "cold soup tonight")
    result = cleaned(found, (limited,))
    assert len(result.kept) == 2 and result.kept == cleaned(found, (limited,)).kept
    assert [removal.reason for removal in result.removed] == [SAME, SURPLUS, SURPLUS]


TEXTS = st.lists(
    st.lists(st.sampled_from("red green boat house runs sleeps".split()), max_size=6).map(" ".join), max_size=12
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(bad=TEXTS, good=TEXTS)
def test_every_row_is_kept_or_removed_once_and_no_text_is_kept_twice(bad, good):
    found = rows(*bad) + rows(*good, source=GOOD)
    result = cleaned(found)
    assert sorted([row.id for row in result.kept] + [removal.row.id for removal in result.removed]) == sorted(
        row.id for row in found
    )
    texts = [words(row.text) for row in result.kept]
    assert len(texts) == len(set(texts)) and () not in texts
    assert all(result.groups[row.id] <= row.id for row in result.kept)


def test_pairs_are_those_that_a_comparison_of_all_finds():
    texts = [f"{LONG} {i}" for i in range(5)] + ["nothing like it at all", "nothing like it at all!"]
    found = {(pair.earlier, pair.later) for pair in similar_pairs(texts)}
    every = {
        (i, j)
        for j in range(len(texts))
        for i in range(j)
        if similarity(shingles(texts[i]), shingles(texts[j])) >= ALIKE
    }
    assert found == every and (5, 6) in every
