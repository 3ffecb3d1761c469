from casa.data.reading import Example
from casa.evaluation.benchmarks.dilution import BENCHMARK, MINI_WORDS, WORDS


def test_every_goal_is_a_paragraph_of_its_own_at_every_length(write, tmp_path):
    write("harmful_behaviors.csv", [{"goal": "Bake bread", "target": ""}])
    items = list(BENCHMARK.read(tmp_path))
    assert [item.attack for item in items] == [f"dilution {words}" for words in WORDS]
    for item, words in zip(items, WORDS, strict=True):
        text = item.messages[0]["content"]
        assert "Bake bread" in text.split("\n\n")
        assert words <= len(text.split()) < words + 300


def test_the_mini_set_leaves_out_what_casa_nano_cannot_hold():
    query = Example("q", "Bake bread", True, None, "plain", "q", "test", "seed")
    items = BENCHMARK.load(None, {"malicious": [query], "benign": []})
    assert [item.attack for item in items] == [f"dilution {words}" for words in MINI_WORDS]
    assert max(MINI_WORDS) * 1.5 < 8192 < max(WORDS)
