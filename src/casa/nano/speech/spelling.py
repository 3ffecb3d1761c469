"""Words said letter by letter, and what a listener should write down."""

from __future__ import annotations

import re
from typing import Literal, get_args

Form = Literal["b, o, m, b", "B, O, M, B", "B - O - M - B"]
FORMS: tuple[Form, ...] = get_args(Form)
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


def spelled(word: str, form: Form) -> str:
    """The letters of a word, written as in `form`.

    Raises:
        ValueError: the word has other characters than the letters a to z.
    """
    if not re.fullmatch(r"[A-Za-z]+", word):
        raise ValueError(f"cannot spell {word!r}")
    letters = word.upper() if form[0].isupper() else word.lower()
    return (" - " if "-" in form else ", ").join(letters)


def with_spelled_word(sentence: str, index: int, form: Form) -> str:
    """The sentence with its word number `index` (from 0, between blanks) spelled; punctuation behind it stays."""
    words = sentence.split()
    word = words[index].rstrip(",.?!")
    words[index] = spelled(word, form) + words[index][len(word) :]
    return " ".join(words)


def transcript(text: str) -> str:
    """What is heard, in the terms of the language model: lower-case words, and spelled letters, between single blanks."""
    return " ".join(_WORD.findall(text.lower()))
