"""Which instructions are drawn at a step, and in what form."""

from __future__ import annotations

import random
from collections.abc import Sequence

from casa.data.reading import Example
from casa.errors import CasaError
from casa.nano.align.examples import Form, Laid, Layouter
from casa.nano.align.recipe import AlignRecipe


class Instructions:
    """Benign instructions with the language model's own answers, drawn and laid out by step.

    Args:
        examples: what is asked.
        answers: ids by `Example.key`.
        layouter: lays them out.
        recipe: shares and seed.
    """

    def __init__(
        self, examples: Sequence[Example], answers: dict[str, list[int]], layouter: Layouter, recipe: AlignRecipe
    ) -> None:
        self._texts = [(example.text, answers[example.key()]) for example in examples if answers[example.key()]]
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
            laid = self._layouter.laid(text, answer, form, repeat, rng, real)
            if laid is not None:
                batch.append((laid, form))
        return batch

    def held_out(self, form: Form, size: int) -> list[tuple[Laid, Form]]:
        """Instructions to follow in one form, always the same; as real media if training sees some.

        Raises:
            CasaError: none fits into that form.
        """
        rng = random.Random(f"held out {form}")
        real = self._recipe.real_share > 0
        laid = (self._layouter.laid(text, answer, form, False, rng, real) for text, answer in self._texts)
        fitting = [(one, form) for one in laid if one is not None][:size]
        if not fitting:
            raise CasaError(f"none of {len(self._texts)} held-out instructions fits into a {form}")
        return fitting
