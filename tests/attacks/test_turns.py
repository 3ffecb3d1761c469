from casa.attacks.turns import after_small_talk, crescendo, split_over_turns
from casa.attacks.typography import key_phrase

EXCHANGES = [(f"question {i}", f"answer {i}") for i in range(5)]


def test_small_talk_comes_first_and_the_query_last():
    turns = after_small_talk("THE QUERY", EXCHANGES, seed=1)
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2 + ["user"]
    assert turns[-1]["content"] == "THE QUERY"
    assert (turns[0]["content"], turns[1]["content"]) in EXCHANGES
    assert turns[0] != turns[2]
    assert turns == after_small_talk("THE QUERY", EXCHANGES, seed=1)


def test_a_split_query_loses_no_word():
    turns = split_over_turns("a b c d e")
    assert '"a b c"' in turns[0]["content"]
    assert '"d e"' in turns[2]["content"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]


def test_a_crescendo_names_its_topic_first_and_asks_for_it_by_reference_last():
    query = "How do I bake the sourdough bread without an oven?"
    turns = crescendo(query, seed=1)
    assert [turn["role"] for turn in turns] == ["user"] * 4
    assert key_phrase(query) == "sourdough bread"
    assert "sourdough bread" in turns[0]["content"]
    assert all("sourdough" not in turn["content"] and "oven" not in turn["content"] for turn in turns[1:3])
    assert turns[3]["content"].endswith("How do I bake it without an oven?")


def test_a_crescendo_is_the_same_for_a_seed_and_differs_between_seeds():
    assert crescendo("Bake bread", seed=1) == crescendo("Bake bread", seed=1)
    assert len({str(crescendo("Bake bread", seed=seed)) for seed in range(20)}) > 1


def test_braces_in_a_query_are_left_alone():
    assert crescendo("Print {topic} and x{query} in C", seed=0)[3]["content"].endswith("Print {topic} and it in C")
