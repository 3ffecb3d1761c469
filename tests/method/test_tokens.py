import pytest
import torch

from casa.errors import CasaError
from casa.method import CasaConfig, add_safety_tokens, initialise_safety_rows, own_tokens

WORDS = CasaConfig(safety_tokens="existing")


def test_both_tokens_become_single_special_tokens(processor):
    tokenizer = processor.tokenizer
    tokens = add_safety_tokens(tokenizer, CasaConfig())
    assert tokens.safe != tokens.unsafe
    assert tokenizer("<|safe|><|unsafe|>", add_special_tokens=False)["input_ids"] == list(tokens)
    assert tokenizer.decode(list(tokens), skip_special_tokens=True) == ""


def test_adding_them_twice_changes_nothing(processor):
    first = add_safety_tokens(processor.tokenizer, CasaConfig())
    size = len(processor.tokenizer)
    assert add_safety_tokens(processor.tokenizer, CasaConfig()) == first
    assert len(processor.tokenizer) == size


class Closed:
    """A tokenizer that takes no new tokens."""

    all_special_tokens = ("<SPECIAL_100>", "<SPECIAL_101>")

    def convert_tokens_to_ids(self, tokens):
        return [self.all_special_tokens.index(token) for token in tokens]


def test_a_tokenizer_that_takes_no_new_tokens_says_what_to_name_instead():
    with pytest.raises(CasaError, match="<SPECIAL_100>"):
        add_safety_tokens(Closed(), CasaConfig())
    reserved = CasaConfig(safe_token="<SPECIAL_101>", unsafe_token="<SPECIAL_100>")
    assert add_safety_tokens(Closed(), reserved) == (1, 0)


def test_existing_words_are_the_vocabularys_own_entries_and_change_no_tokenizer(processor):
    tokenizer = processor.tokenizer
    before = tokenizer.backend_tokenizer.to_str()
    tokens = add_safety_tokens(tokenizer, WORDS)
    assert tokenizer.convert_ids_to_tokens(list(tokens)) == ["Ġsafe", "Ġunsafe"]
    assert tokenizer.backend_tokenizer.to_str() == before
    assert not set(tokenizer.all_special_ids).intersection(tokens)
    assert own_tokens(tokens, WORDS) == []
    assert own_tokens(tokens, CasaConfig()) == list(tokens)


class Words:
    """A tokenizer with one id a known word; of others it knows the letters, or nothing at all."""

    all_special_ids = (0,)

    def __init__(self, *words, unknown=False):
        self._words, self._unknown = words, unknown

    def __call__(self, text, add_special_tokens):
        if text in self._words:
            return {"input_ids": [1 + self._words.index(text)]}
        return {"input_ids": [0] if self._unknown else [100 + ord(letter) for letter in text]}


def test_words_are_both_taken_as_in_running_text_or_both_without_the_space():
    assert add_safety_tokens(Words("safe", "unsafe", " safe", " unsafe"), WORDS) == (3, 4)
    assert add_safety_tokens(Words("safe", " safe", "unsafe"), WORDS) == (1, 3)
    harm = CasaConfig(safety_tokens="existing", safe_word="good", unsafe_word="bad")
    assert add_safety_tokens(Words(" bad", " good"), harm) == (2, 1)


@pytest.mark.parametrize(
    "tokenizer", [Words(" safe"), Words(" safe", "unsafe"), Words(" safe", unknown=True), Words(unknown=True)]
)
def test_a_tokenizer_without_single_tokens_for_the_words_says_what_to_do(tokenizer):
    with pytest.raises(CasaError, match=r"'safe' and 'unsafe'.*safe_word='good'.*safety_tokens='new'"):
        add_safety_tokens(tokenizer, WORDS)


def test_one_word_cannot_be_both_tokens():
    with pytest.raises(CasaError, match="no single ordinary tokens for both 'safe' and 'safe'"):
        add_safety_tokens(Words(" safe"), CasaConfig(safety_tokens="existing", unsafe_word="safe"))


def test_rows_start_from_the_words_own(processor):
    tokenizer, config = processor.tokenizer, CasaConfig()
    tokens = add_safety_tokens(tokenizer, config)
    weight = torch.randn(49216, 4)
    before = weight.clone()
    initialise_safety_rows(weight, tokens, tokenizer, config)
    pieces = tokenizer("unsafe", add_special_tokens=False)["input_ids"]
    assert torch.allclose(weight[tokens.unsafe], before[pieces].mean(0))
    others = torch.ones(49216, dtype=torch.bool)
    others[list(tokens)] = False
    assert torch.equal(weight[others], before[others])
