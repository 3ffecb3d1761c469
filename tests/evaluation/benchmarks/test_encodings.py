from casa.attacks.encodings import ENCODINGS
from casa.evaluation.benchmarks.encodings import BENCHMARK


def test_every_goal_comes_in_every_encoding_and_keeps_its_plain_words_for_judges(write, tmp_path):
    write("harmful_behaviors.csv", [{"goal": "Bake sourdough bread", "target": ""}])
    items = list(BENCHMARK.read(tmp_path))
    assert [item.attack for item in items] == list(ENCODINGS)
    assert all(item.goal == "Bake sourdough bread" != item.messages[0]["content"] for item in items)
    assert all(item.harmful for item in items)
