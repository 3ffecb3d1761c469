"""The two safety tokens: their ids, and the rows of the embeddings that stand for them."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from casa.errors import CasaError
from casa.method.config import CasaConfig


class SafetyTokens(NamedTuple):
    """Ids of the two safety tokens.

    Attributes:
        safe: id of C_safe.
        unsafe: id of C_unsafe.
    """

    safe: int
    unsafe: int


def add_safety_tokens(tokenizer: Any, config: CasaConfig) -> SafetyTokens:
    """Ids of both tokens; new ones are added as special tokens, if the tokenizer lacks them.

    Args:
        tokenizer: a Hugging Face tokenizer; changed in place where tokens are added.
        config: names the tokens.

    Raises:
        CasaError: it lacks them and takes no new ones, or has no single entries for words that are to be the tokens.
    """
    if config.safety_tokens == "existing":
        return _entries_of_words(tokenizer, config)
    texts = [config.safe_token, config.unsafe_token]
    known = {*tokenizer.all_special_tokens, *getattr(tokenizer, "get_added_vocab", dict)()}
    if missing := [text for text in texts if text not in known]:
        if not hasattr(tokenizer, "get_added_vocab"):  # mistral-common's
            raise CasaError(
                "this tokenizer takes no new tokens; name two reserved ones: "
                "CasaConfig(safe_token='<SPECIAL_100>', unsafe_token='<SPECIAL_101>')"
            )
        tokenizer.add_tokens(missing, special_tokens=True)
    return SafetyTokens(*tokenizer.convert_tokens_to_ids(texts))


def _entries_of_words(tokenizer: Any, config: CasaConfig) -> SafetyTokens:
    """The vocabulary's entries of both words, as in running text if there are such, else as at the beginning of one."""
    special = set(tokenizer.all_special_ids)  # an unknown word is a special token too
    for before in (" ", ""):
        words = [before + config.safe_word, before + config.unsafe_word]
        safe, unsafe = (tokenizer(word, add_special_tokens=False)["input_ids"] for word in words)
        if len(safe) == len(unsafe) == 1 and safe != unsafe and special.isdisjoint([*safe, *unsafe]):
            return SafetyTokens(safe[0], unsafe[0])
    raise CasaError(
        f"this tokenizer has no single ordinary tokens for both {config.safe_word!r} and {config.unsafe_word!r}, so they cannot be "
        "the safety tokens; name two words that it has, such as CasaConfig(safety_tokens='existing', safe_word='good', "
        "unsafe_word='bad'), or let new tokens be added: CasaConfig(safety_tokens='new')"
    )


def own_tokens(tokens: SafetyTokens, config: CasaConfig) -> list[int]:
    """Ids that mean nothing but the verdict, so that their rows train and they are banned after it; none where they are words."""
    return [] if config.safety_tokens == "existing" else list(tokens)


def initialise_safety_rows(weight: Tensor, tokens: SafetyTokens, tokenizer: Any, config: CasaConfig) -> None:
    """Starts both rows of an embedding or LM-head matrix from the mean row of their words' pieces, in place.

    Args:
        weight: matrix with one row a token, shape (vocabulary, width).
        tokens: the rows to write.
        tokenizer: cuts the words into pieces.
        config: names the words.
    """
    with torch.no_grad():
        for row, word in ((tokens.safe, config.safe_word), (tokens.unsafe, config.unsafe_word)):
            pieces = tokenizer(word, add_special_tokens=False)["input_ids"]
            weight[row] = weight[pieces].float().mean(0).to(weight.dtype)
