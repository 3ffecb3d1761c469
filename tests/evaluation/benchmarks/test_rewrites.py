"""Rewrites by rules of every malicious query, by hand of those that have them."""

from casa.data.held_out import held_out_queries
from casa.evaluation.benchmarks.rewrites import BENCHMARK


def test_the_mini_set_has_rewrites_by_hand_of_both_classes():
    queries = held_out_queries("test", 0)
    items = list(BENCHMARK.mini(queries))
    counts = {}
    for item in items:
        counts[item.attack, item.harmful] = counts.get((item.attack, item.harmful), 0) + 1
    n = len(queries["malicious"])
    assert {counts[name, True] for name in ("past tense", "future tense", "paraphrase")} == {n}
    assert all(counts[name, False] for name in ("past tense", "future tense", "paraphrase"))
    assert {
        counts[f"{name} by hand", harmful] for name in ("past tense", "paraphrase") for harmful in (True, False)
    } == {60}
    goals = {item.id: item.goal for item in items}
    assert all(item.messages[0]["content"] != goals[item.id] for item in items)


def test_official_goals_are_rewritten(write):
    path = write("data/advbench/harmful_behaviors.csv", [{"goal": "Bake a bread", "target": "Sure"}])
    items = list(BENCHMARK.read(path.parents[2]))
    assert [item.attack for item in items] == ["past tense", "future tense", "paraphrase"]
    assert "bake a bread" in items[0].messages[0]["content"]
