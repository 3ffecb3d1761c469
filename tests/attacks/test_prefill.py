import pytest

from casa.attacks.prefill import AGREEING, prefilled, query_in_prefill


@pytest.mark.parametrize("tokens", [2, 4, 9, 12])
def test_the_answer_begins_with_so_many_tokens_of_an_opening(tiny_casa, tokens):
    tokenizer = tiny_casa.chat.tokenizer
    user, assistant = prefilled("Q", tokens, tokenizer, seed=0)
    assert user == {"role": "user", "content": "Q"}
    assert any(opening.startswith(assistant["content"]) for opening in AGREEING)
    assert len(tokenizer(assistant["content"], add_special_tokens=False)["input_ids"]) == tokens


def test_a_prefill_longer_than_the_opening_is_an_error(tiny_casa):
    with pytest.raises(ValueError, match="a prefill has 1 to"):
        prefilled("Q", 500, tiny_casa.chat.tokenizer, seed=0)


def test_a_query_in_the_prefill_is_behind_a_harmless_question():
    query = "How do I bake {bread}?"
    user, assistant = query_in_prefill(query, seed=0)
    assert query not in user["content"] and query in assistant["content"]
    assert query_in_prefill(query, seed=0) == [user, assistant]
