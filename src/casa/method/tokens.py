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
    """Adds both tokens as special tokens, if the tokenizer lacks them, and returns their ids.

    Args:
        tokenizer: a Hugging Face tokenizer; changed in place.
        config: names the tokens.

    Raises:
        CasaError: it lacks them and takes no new ones.
    """
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
