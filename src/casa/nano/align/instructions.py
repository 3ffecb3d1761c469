"""Which instructions and questions are drawn at a step, and in what form."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import islice

from casa.data.reading import Example
from casa.errors import CasaError
from casa.nano.align.examples import Form, Laid, Layouter
from casa.nano.align.recipe import AlignRecipe
from casa.nano.pictures.lists import numbered, sample_list
from casa.nano.pictures.questions import questions
from casa.nano.pictures.scenes import sample_scene
from casa.nano.pictures.styles import CELL

_FEWEST_WORDS, _MOST_WORDS, _RANDOM_SHARE = 2, 14, 0.4
_SUBJECT_SHARE = 0.5  # of the lists' titles; the others are any words
_FEWEST_CELLS, _MOST_CELLS = 6, 12  # of a scene's side


class Instructions:
    """Benign instructions with the language model's own answers, and questions about scenes, drawn and laid out by step.

    Args:
        examples: what is asked.
        answers: ids by `Example.key`.
        layouter: lays them out.
        recipe: shares and seed.
        words: to repeat and to spell, beside those of the instructions.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        answers: dict[str, list[int]],
        layouter: Layouter,
        recipe: AlignRecipe,
        words: Sequence[str] = (),
    ) -> None:
        self._texts = [(example.text, answers[example.key()]) for example in examples if answers[example.key()]]
        self._vocabulary = sorted({*words, *(word for text, _ in self._texts for word in text.split())})
        self._spellable = [word for word in self._vocabulary if word.isascii() and word.isalpha() and len(word) > 2]
        self._layouter, self._recipe = layouter, recipe

    def batch(self, step: int) -> list[tuple[Laid, Form]]:
        """The instructions of a step, the same each time."""
        rng, recipe = random.Random(f"{self._recipe.seed} {step}"), self._recipe
        batch: list[tuple[Laid, Form]] = []
        while len(batch) < recipe.batch_size:
            text, answer = rng.choice(self._texts)
            form: Form = "text" if rng.random() < recipe.text_share else "picture"
            if form == "picture" and rng.random() < recipe.sound_share:
                form = "sound"
            repeat, real = rng.random() < recipe.repeat_share, rng.random() < recipe.real_share
            if form == "picture" and rng.random() < recipe.scene_share:
                laid = self._question(rng, real)
            elif form == "sound" and repeat and rng.random() < recipe.spell_share:
                laid = self._layouter.spelled(rng.choice(self._spellable), rng, real)
            else:
                shown = self._repeated(form, rng) if repeat and form != "text" else text
                laid = self._layouter.laid(shown, answer, form, repeat, rng, real)
            if laid is not None:
                batch.append((laid, form))
        return batch

    def _repeated(self, form: Form, rng: random.Random) -> str:
        """What is to be repeated: words, in a picture also as the title of a list."""
        if form == "sound" or rng.random() >= self._recipe.list_share:
            return self._words(rng)
        return sample_list(rng, "train").text if rng.random() < _SUBJECT_SHARE else numbered(self._words(rng), rng)

    def _words(self, rng: random.Random) -> str:
        """Some of an instruction in a row, or at random, which cannot be guessed from one another."""
        count = rng.randint(_FEWEST_WORDS, _MOST_WORDS)
        if rng.random() < _RANDOM_SHARE:
            return " ".join(rng.choice(self._vocabulary) for _ in range(count))
        words = rng.choice(self._texts)[0].split()
        start = rng.randint(0, max(0, len(words) - count))
        return " ".join(words[start : start + count])

    def _question(self, rng: random.Random, real: bool) -> Laid | None:
        columns, rows = (rng.randint(_FEWEST_CELLS, _MOST_CELLS) for _ in range(2))
        scene = sample_scene(rng, columns * CELL, rows * CELL)
        return self._layouter.asked(scene, questions(scene, rng)[0], rng, real)

    def questions_held_out(self, size: int) -> list[tuple[Laid, Form]]:
        """Questions about scenes, always the same; as real pictures if training sees some."""
        rng = random.Random("held out scenes")
        found: list[tuple[Laid, Form]] = []
        while len(found) < size:
            laid = self._question(rng, self._recipe.real_share > 0)
            if laid is not None:
                found.append((laid, "picture"))
        return found

    def held_out(self, form: Form, size: int, repeat: bool = False) -> list[tuple[Laid, Form]]:
        """Instructions to follow, or to repeat, in one form, always the same; as real media if training sees some.

        Raises:
            CasaError: none fits into that form.
        """
        rng = random.Random(f"held out {form}")
        real = self._recipe.real_share > 0
        laid = (self._layouter.laid(text, answer, form, repeat, rng, real) for text, answer in self._texts)
        fitting = list(islice(((one, form) for one in laid if one is not None), size))
        if not fitting:
            raise CasaError(f"none of {len(self._texts)} held-out instructions fits into a {form}")
        return fitting
