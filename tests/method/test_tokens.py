import pytest
import torch

from casa.errors import CasaError
from casa.method import CasaConfig, add_safety_tokens, initialise_safety_rows


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
