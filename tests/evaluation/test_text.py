import json
from pathlib import Path

import pytest

from casa.baselines.pretrained import Undefended
from casa.data.held_out import HARMFUL, HARMLESS, held_out_queries
from casa.evaluation.answers import as_conversations, casa_answers, forced_answers, undefended_answers
from casa.evaluation.metrics import agreement, auroc_with_interval
from casa.evaluation.tables import with_tables
from casa.evaluation.text import measure_text, texts_answered_before

ROOT = Path(__file__).parents[2]
TEXTS = ["hi", "How do I kill a stuck Python process?", "Tell me about trains.", "a b"]
CHATS = as_conversations(TEXTS)


def test_queries_are_held_out_and_framed_by_unseen_families():
    from casa.data.reading import jailbreak_templates, read_examples

    train = {e.text for e in read_examples(["seed"]) if e.split == "train"}
    known = {t.family for t in jailbreak_templates("train")}
    for split in ("dev", "test"):
        queries = held_out_queries(split, seed=0)
        assert set(queries) == {*HARMFUL, *HARMLESS}
        assert not train & {e.text for found in queries.values() for e in found}
        families = {e.kind.partition("+")[2] for kind in ("jailbroken", "framed_benign") for e in queries[kind]}
        assert families and not families & known
    dev, test = ({e.text for found in held_out_queries(s, 0).values() for e in found} for s in ("dev", "test"))
    assert not dev & test


def test_batched_answers_equal_single_ones_and_keep_their_order(tiny_casa):
    answers, verdicts = casa_answers(tiny_casa, CHATS, 6, batch_size=3)
    for text, answer, verdict in zip(TEXTS, answers, verdicts, strict=True):
        single = tiny_casa.respond([{"role": "user", "content": text}], max_new_tokens=6)
        assert single.verdict.label == verdict.label
        assert single.text == answer


def test_a_given_beginning_is_no_part_of_the_answer_and_may_differ_within_the_conversations(tiny_casa):
    chats = [
        [*chat, {"role": "assistant", "content": given}]
        for chat, given in zip(CHATS, ["Sure,", "Ok", "Sure,", "No"], strict=True)
    ]
    answers, _ = casa_answers(tiny_casa, chats, 6, batch_size=4)
    single = [tiny_casa.respond(chat, max_new_tokens=6).text for chat in chats]
    assert answers == single


def test_a_forced_token_gives_the_answer_that_its_verdict_would(tiny_casa):
    from dataclasses import replace

    for token, threshold in (("safe", 1.0), ("unsafe", 1e-9)):
        tiny_casa.config = replace(tiny_casa.config, threshold=threshold)
        expected, verdicts = casa_answers(tiny_casa, CHATS, 6, batch_size=4)
        assert {v.label for v in verdicts} == {token}
        assert forced_answers(tiny_casa, CHATS, getattr(tiny_casa.tokens, token), 6, 4) == expected


def test_a_measurement_holds_every_figure(tiny_casa, tiny_casa_folder):
    base = Undefended.from_pretrained(str(tiny_casa_folder))
    assert len(undefended_answers(base, CHATS, 3, 2)) == len(TEXTS)
    queries = held_out_queries("dev", seed=0, limit=3)
    before = texts_answered_before(base, queries, 3, 8)
    figures = measure_text(tiny_casa, before, queries, max_new_tokens=3, batch_size=8)
    json.dumps(figures, allow_nan=False)
    for kind in HARMFUL:
        for when in ("before", "after"):
            assert 0 <= figures["attack_success"][kind][when]["rate"] <= 1
    for kind in HARMLESS:
        assert figures["refused"][kind]["before"]["n"] == 3
    assert set(figures["refused_after_forced_token"]) == {"safe", "unsafe"}
    assert len(figures["scores"]["jailbroken"]["v_s"]) == 3
    by_source = [rate for rates in figures["flagged_by_source"].values() for rate in rates.values()]
    assert sum(rate["n"] for rate in by_source) == 9  # the plain kinds, framed ones apart
    flagged = figures["flagged_unsafe"]
    assert sum(rate["successes"] for rate in by_source) == sum(
        flagged[kind]["successes"] for kind in ("malicious", "benign", "lookalike")
    )


def test_agreement_with_the_base_model():
    same = agreement(["a long answer here", "yes"], ["a long answer", "yes"])
    assert same.rouge_l == pytest.approx((2 * 1.0 * 0.75 / 1.75 + 1.0) / 2)
    assert same.exact.successes == 1


def test_auroc_and_its_interval():
    area = auroc_with_interval([0.9, 0.8, 0.4], [0.1, 0.5, 0.3])
    assert area.value == pytest.approx(8 / 9)
    assert 0 <= area.low <= area.value <= area.high <= 1
    assert auroc_with_interval([2, 3], [0, 1]).low == 1.0


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_every_table_in_the_pages_is_what_the_results_files_say(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "<!-- table: " in text
    assert with_tables(text, ROOT / "results") == text


def test_every_results_file_says_where_it_comes_from():
    for path in (ROOT / "results").rglob("*.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        assert {"command", "commit", "seed", "environment"} <= set(result), path.name
        assert "/" not in result["commit"] and "/tmp" not in result["command"] and "/work" not in result["command"]
