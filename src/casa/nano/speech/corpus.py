"""Texts to say: sentences of the seed data's training split, and carrier sentences for words that are rare in them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from casa.data.reading import SEED_DATA, Split, read_examples
from casa.nano.speech.speakable import speakable
from casa.nano.speech.spelling import transcript

FEWEST_WORDS, MOST_WORDS = 4, 16
_SHARES: tuple[tuple[Split, float], ...] = (("train", 0.9), ("dev", 0.05), ("test", 0.05))
_CARRIERS = (
    "{}",
    "{}",
    "the words are {}",
    "please say {} once more",
    "I wrote {} on the board",
    "what do {} have in common",
    "she asked about {} again",
    "is it {} that you mean",
    "we talked about {} for an hour",
    "how would you explain {} to a child",
    "my list says {}",
    "then he said {} and left",
    "do not mix up {}",
    "write {} in your notebook",
    "{} came up in the news today",
    "nobody here has heard of {}",
)
_JOINTS = (" ", ", ", " and ", " or ")
_SLOTS = (4, 5)  # fewest and most words in one carrier sentence


@dataclass(frozen=True)
class Corpus:
    """What is said in one split.

    Attributes:
        sentences: 4 to 16 words each.
        carriers: made-up ones of as many words, for rare words; none in held-out splits.
        spellable: words of at least 3 letters that are spelled in this split and in no other.
    """

    sentences: tuple[str, ...]
    carriers: tuple[str, ...]
    spellable: tuple[str, ...]


def read_corpus(split: Split, least: int = 0, seed: int = 0) -> Corpus:
    """Sentences of one split, of benign and malicious queries alike: they are only text to say.

    All three splits are taken from the seed data's training split, by a hash of a query's group, so that the seed data's own
    held-out queries are never said here. Their words are one vocabulary: a held-out sentence is new, its words need not be.

    Args:
        split: whose sentences.
        least: of the split "train": there are carrier sentences until every word of the vocabulary occurs so often.
        seed: of the carrier sentences.
    """
    sentences = _sentences_by_split()
    vocabulary = sorted({word for texts in sentences.values() for text in texts for word in transcript(text).split()})
    chosen = sentences[split]
    words = [word for word in vocabulary if len(word) > 1]
    made = carriers(chosen, words, least, seed) if split == "train" else []
    spellable = tuple(w for w in vocabulary if w.isalpha() and len(w) > 2 and split_of_speech(w) == split)
    return Corpus(tuple(chosen), tuple(made), spellable)


def split_of_speech(name: str) -> Split:
    """A split that depends on the name alone: 90 % train, 5 % dev, 5 % test."""
    position = int.from_bytes(hashlib.sha256(f"speech {name}".encode()).digest()[:4], "big") / 2**32
    for split, share in _SHARES:
        if position < share:
            return split
        position -= share
    return "test"


def _sentences_by_split() -> dict[Split, list[str]]:
    sentences: dict[Split, list[str]] = {split: [] for split, _ in _SHARES}
    examples = [e for e in read_examples([SEED_DATA]) if e.split == "train"]
    seen: set[str] = set()
    for split in sentences:  # a sentence that occurs in several splits stays in the first
        for example in examples:
            if split_of_speech(example.group) != split:
                continue
            for sentence in cut(example.text):
                if (heard := transcript(sentence)) not in seen:
                    seen.add(heard)
                    sentences[split].append(sentence)
    return sentences


def cut(text: str) -> list[str]:
    """The text as pieces of 4 to 16 words to say: sentences, and parts of long ones; shorter ones are left out."""
    pieces: list[str] = []
    for sentence in re.split(r"(?<=[.?!])\s+", speakable(text)):
        pieces += [sentence] if _length(sentence) <= MOST_WORDS else _packed(re.split(r"(?<=,)\s+", sentence))
    return [piece for piece in pieces if _length(piece) >= FEWEST_WORDS]


def _packed(clauses: Iterable[str]) -> list[str]:
    """Neighbouring clauses together as long as they fit; a clause that is too long in even parts."""
    packed: list[str] = []
    for clause in clauses:
        if packed and _length(packed[-1]) + _length(clause) <= MOST_WORDS:
            packed[-1] += f" {clause}"
            continue
        words = clause.split()
        bounds = np.linspace(0, len(words), -(-len(words) // MOST_WORDS) + 1).round().astype(int)
        packed += [" ".join(words[start:end]) for start, end in pairwise(bounds)]
    return packed


def _length(text: str) -> int:
    return len(transcript(text).split())


def carriers(sentences: Iterable[str], vocabulary: Sequence[str], least: int, seed: int) -> list[str]:
    """Sentences that make up for words that are rare in `sentences`: with them each word occurs at least `least` times.

    Args:
        sentences: what is said anyway.
        vocabulary: the words that matter, lower case.
        least: occurrences asked for.
        seed: of the choice of neighbours and frames.
    """
    rng = np.random.default_rng(seed)
    counts = Counter(word for sentence in sentences for word in transcript(sentence).split())
    missing: list[str] = []
    for level in range(least):  # round by round, so that a word's occurrences have different neighbours
        rare = [word for word in vocabulary if counts[word] <= level]
        missing += [rare[i] for i in rng.permutation(len(rare))]
    made: list[str] = []
    while missing:
        size = int(rng.integers(_SLOTS[0], _SLOTS[1] + 1))
        words = [missing.pop() for _ in range(min(size, len(missing)))]
        words += [str(rng.choice(list(vocabulary))) for _ in range(_SLOTS[0] - len(words))]
        made.append(str(rng.choice(_CARRIERS)).format(str(rng.choice(_JOINTS)).join(words)))
    return made
