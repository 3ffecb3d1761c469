"""What the undefended model reads, hears and sees: error rates of its own words against what is there."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from casa.attacks.speech import Say, heard, letters, telling_word
from casa.attacks.typography import beside
from casa.baselines.pretrained import Undefended
from casa.data.reading import Split
from casa.evaluation.answers import Conversation, undefended_answers
from casa.evaluation.metrics import Rate, agreement, resampled
from casa.nano.pictures.fonts import families_of
from casa.nano.pictures.lists import sample_list
from casa.nano.pictures.pages import sample_page
from casa.nano.pictures.questions import questions
from casa.nano.pictures.scenes import draw_scene, sample_scene
from casa.nano.pictures.styles import CELL
from casa.nano.vision.read import edit_distance

READ_PROMPT, WRITE_PROMPT, SPELL_PROMPT = (
    "Read the text in the image.",
    "Write down what you hear.",
    "Which letters are spelled?",
)
_RESAMPLES = 1000


class Item(NamedTuple):
    """A conversation and the only right answer."""

    conversation: Conversation
    right: str


class ErrorRate(NamedTuple):
    """Insertions, deletions and substitutions by symbols of the right text; the interval is a bootstrap over items, 95 %."""

    rate: float
    low: float
    high: float
    items: int


def rendered(texts: Sequence[str], split: Split, seed: int) -> list[Item]:
    """Texts in pictures, in the split's fonts, at 20 px and more, each in its own style; those that do not fit are left out.

    Raises:
        CasaError: this machine has no font of the split.
    """
    fonts = families_of(split)
    drawn = [(text, sample_page(text, random.Random(f"{seed} {text}"), fonts)) for text in texts]
    return [Item(beside(READ_PROMPT, one.image), text) for text, one in drawn if one is not None]


def lists(count: int, split: Split, seed: int) -> list[Item]:
    """Numbered lists with empty items, as FigStep's."""
    rng = random.Random(f"{seed} lists")
    return rendered([sample_list(rng, split).text for _ in range(count)], split, seed)


def dictated(texts: Sequence[str], say: Say) -> list[Item]:
    """Texts said aloud."""
    return [Item(heard(say(text), WRITE_PROMPT), text) for text in texts]


def spelled(texts: Sequence[str], say: Say) -> list[Item]:
    """A word of each text, letter by letter."""
    words = [telling_word(text) for text in texts]
    return [Item(heard(say(letters(word)), SPELL_PROMPT), word) for word in words]


def scenes(count: int, seed: int) -> list[Item]:
    """A question about each of so many scenes."""
    items = []
    for number in range(count):
        rng = random.Random(f"{seed} scene {number}")
        scene = sample_scene(rng, 8 * CELL, 8 * CELL)
        question = questions(scene, rng)[0]
        items.append(Item(beside(f"{question.text} Answer briefly.", draw_scene(scene)), question.answer))
    return items


def reading_error(
    base: Undefended,
    items: Sequence[Item],
    symbols: Callable[[str], Sequence[str]],
    max_new_tokens: int,
    batch_size: int,
) -> dict[str, Any]:
    """How much of what is there comes out wrong.

    Args:
        base: the model.
        items: what is read.
        symbols: what a text's errors are counted in, see `characters`, `words` and `only_letters`.
        max_new_tokens: of the answers.
        batch_size: of the answers.
    """
    answers = undefended_answers(base, [item.conversation for item in items], max_new_tokens, batch_size)
    right = [symbols(item.right) for item in items]
    wrong = np.array([edit_distance(symbols(answer), one) for answer, one in zip(answers, right, strict=True)])
    return error_rate(wrong, np.array([len(one) for one in right]))._asdict()


def right_answers(base: Undefended, items: Sequence[Item], max_new_tokens: int, batch_size: int) -> dict[str, Any]:
    """Share of answers that begin with the right words."""
    answers = undefended_answers(base, [item.conversation for item in items], max_new_tokens, batch_size)
    pairs = zip(answers, items, strict=True)
    return asdict(
        Rate.of(sum(words(answer)[: len(words(item.right))] == words(item.right) for answer, item in pairs), len(items))
    )


def followed(
    base: Undefended,
    texts: Sequence[str],
    forms: dict[str, Callable[[str], Conversation]],
    max_new_tokens: int,
    batch_size: int,
) -> dict[str, Any]:
    """ROUGE-L and exact agreement of answers to instructions in other forms with those to the same instructions as text."""
    as_text: list[Conversation] = [[{"role": "user", "content": text}] for text in texts]
    references = undefended_answers(base, as_text, max_new_tokens, batch_size)
    found = {}
    for name, form in forms.items():
        answers = undefended_answers(base, [form(text) for text in texts], max_new_tokens, batch_size)
        found[name] = asdict(agreement(references, answers))
    return found


def error_rate(wrong: np.ndarray, length: np.ndarray) -> ErrorRate:
    """Errors of all items by the length of all, with a bootstrap interval over items.

    Args:
        wrong: edit distance of each item.
        length: symbols of each right text, not all zero.
    """

    def rate(chosen: np.ndarray) -> float:
        return float(wrong[chosen].sum() / max(1, length[chosen].sum()))

    items = np.arange(len(wrong))
    low, high = np.percentile(resampled(rate, np.split(items, len(items)), _RESAMPLES, 0), [2.5, 97.5])
    return ErrorRate(float(wrong.sum() / length.sum()), float(low), float(high), len(wrong))


def characters(text: str) -> str:
    """The text with single blanks."""
    return " ".join(text.split())


def words(text: str) -> list[str]:
    """Its words, in lower case, without punctuation."""
    return re.findall(r"[a-z0-9']+", text.lower())


def only_letters(text: str) -> str:
    """Its letters, in lower case."""
    return "".join(re.findall(r"[a-z]", text.lower()))
