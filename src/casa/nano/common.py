"""The language model's commonest pieces and words: those its tokenizer's training merged first."""

from __future__ import annotations

from typing import Any

from casa.nano.pictures.fonts import PRINTABLE

COMMON_PIECES = 10_000  # ids below
COMMON_WORDS = 10_000
WORD_START = "\u0120"  # how byte-level tokenizers write the space before a word


def common_pieces(tokenizer: Any) -> list[int]:
    """Ids of the commonest pieces of printable characters, and of each such character at the beginning of a word and in it."""
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    inked = ((piece, token.removeprefix(WORD_START)) for piece, token in enumerate(tokens))
    known = set(PRINTABLE)
    return [piece for piece, text in inked if text and set(text) <= known and (piece < COMMON_PIECES or len(text) == 1)]


def one_piece_words(tokenizer: Any) -> tuple[str, ...]:
    """Words of two and more ASCII letters that are one piece, commonest first."""
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    words = (token.removeprefix(WORD_START) for token in tokens if token.startswith(WORD_START))
    return tuple(word for word in words if len(word) > 1 and word.isascii() and word.isalpha())


def common_words(tokenizer: Any) -> tuple[str, ...]:
    """The commonest `COMMON_WORDS` words of one piece in lower case, commonest first; some are fewer for being the same then."""
    return tuple(dict.fromkeys(word.lower() for word in one_piece_words(tokenizer)[:COMMON_WORDS]))
