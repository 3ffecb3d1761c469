from casa.attacks.turns import after_small_talk, split_over_turns

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
