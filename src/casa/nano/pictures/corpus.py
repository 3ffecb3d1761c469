"""Texts to read: sentences of the project's own training data, and words, numbers and signs shuffled."""

from __future__ import annotations

import random
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from casa.data.reading import SEED_DATA, Split, read_examples, split_of
from casa.nano.pictures.fonts import PRINTABLE

_ALLOWED = frozenset(PRINTABLE + " ")
_EXCHANGED = 0.15  # of a sentence's words, for common ones


@dataclass(frozen=True)
class Corpus:
    """Texts of one split.

    Attributes:
        sentences: whole queries, benign and malicious alike: here they are only text to read.
        words: the different words in them, with their punctuation.
    """

    sentences: tuple[str, ...]
    words: tuple[str, ...]


@lru_cache(maxsize=3)
def read_corpus(split: Split) -> Corpus:
    """The corpus of one split, all from the seed data's training queries: no query of its dev or test split is in any.

    A query and its look-alike, which share most words, are on one side. Queries that are not plain ASCII are left out.
    """
    sentences = tuple(
        dict.fromkeys(
            " ".join(example.text.split())
            for example in read_examples([SEED_DATA])
            if example.split == "train" and split_of(f"picture:{example.group}") == split and _plain(example.text)
        )
    )
    return Corpus(sentences, tuple(sorted({word for sentence in sentences for word in sentence.split()})))


def sample_text(rng: random.Random, corpus: Corpus, words: int, common: Sequence[str] = ()) -> str:
    """A random text of exactly so many words: running sentences, words, numbers or signs.

    Args:
        rng: draws it.
        corpus: its sentences and words.
        words: how many.
        common: words from anywhere, commonest first; if there are any, some stand in sentences and some texts are made of them.
    """
    shares = (55, 15, 8, 7, 15) if common else (50, 30, 10, 10, 0)
    kind = rng.choices(("sentences", "words", "numbers", "signs", "common"), shares)[0]
    if kind == "sentences":
        found = _running(rng, corpus, words)
        if common:
            found = [_drawn(rng, common) if rng.random() < _EXCHANGED else word for word in found]
    elif kind == "common":
        found = [_drawn(rng, common) for _ in range(words)]
    else:
        found = [rng.choice(corpus.words) for _ in range(words)]
        if kind != "words":
            change = _number if kind == "numbers" else _with_signs
            found = [change(rng, word) for word in found]
    if rng.random() < 0.15:
        recase = rng.choice((str.upper, str.lower, str.title, str.swapcase))
        found = [recase(word) for word in found]
    return " ".join(found)


def _drawn(rng: random.Random, common: Sequence[str]) -> str:
    """A common word, the k-th commonest as often as 1 / sqrt(k)."""
    return common[int(len(common) * rng.random() ** 2)]


def _plain(text: str) -> bool:
    return set(text) <= _ALLOWED


def _running(rng: random.Random, corpus: Corpus, words: int) -> list[str]:
    """Words of sentences one after another, from the first word of one or, as often, from its middle."""
    first = rng.choice(corpus.sentences).split()
    found = first[rng.randrange(len(first)) if rng.random() < 0.5 else 0 :]
    while len(found) < words:
        found += rng.choice(corpus.sentences).split()
    return found[:words]


def _number(rng: random.Random, word: str) -> str:
    """A number in one of many forms, or, one time in three, the word."""
    value = rng.randrange(10 ** rng.randint(1, 5))
    forms = (
        f"{value}",
        f"{value:,}",
        f"{value / 100:.2f}",
        f"${value}",
        f"{value}%",
        f"{rng.randrange(24)}:{rng.randrange(60):02}",
        f"{rng.randint(1900, 2099)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        f"#{value}",
    )
    return word if rng.random() < 1 / 3 else rng.choice(forms)


def _with_signs(rng: random.Random, word: str) -> str:
    """The word in brackets or quotes, with signs after it, or a group of signs alone."""
    before, after = rng.choice(("()", "[]", "{}", "<>", '""', "''", "**", "//", "__", "~~"))
    end = "".join(rng.choice(string.punctuation) for _ in range(rng.randint(1, 3)))
    return rng.choice((word, f"{before}{word}{after}", f"{word}{end}", end))
