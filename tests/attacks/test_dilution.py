import pytest

from casa.attacks.dilution import dilute

PARAGRAPHS = ["one two three", "four five", "six seven eight nine"]


def words(text: str) -> int:
    return len(text.split())


@pytest.mark.parametrize("tokens", [0, 1, 5, 9, 40])
def test_the_query_stays_whole_in_at_least_so_much_harmless_text(tokens):
    text = dilute("THE QUERY", PARAGRAPHS, tokens, words, seed=0)
    parts = text.split("\n\n")
    assert parts.count("THE QUERY") == 1
    assert tokens <= words(text) - 2 < tokens + 4
    assert set(parts) - {"THE QUERY"} <= set(PARAGRAPHS)


def test_seed_and_query_decide_the_place():
    places = {dilute("Q", PARAGRAPHS, 40, words, seed).split("\n\n").index("Q") for seed in range(20)}
    assert len(places) > 3
    assert dilute("Q", PARAGRAPHS, 40, words, 3) == dilute("Q", PARAGRAPHS, 40, words, 3)
