"""How much a recipe reads and writes, counted on its own data without a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from casa.data.reading import Example
from casa.model.messages import ChatFormat
from casa.training.arguments import CasaTrainingArguments
from casa.training.batches import BalancedBatches, ConditionalDataset, RankBatches
from casa.training.cost import Work
from casa.training.recipe import Recipe


class Row(NamedTuple):
    """Tokens of an example's prompt and answer, and its label."""

    prompt: int
    answer: int
    malicious: bool


def rows_of(examples: Sequence[Example], chat: ChatFormat, recipe: Recipe, answer: int | None = None) -> list[Row]:
    """Lengths of examples; `answer` replaces that of their answers."""
    items = ConditionalDataset(examples, chat, recipe.max_response_tokens).items
    lengths = [len(item.given_ids) + len(item.response_ids) if answer is None else answer for item in items]
    return [
        Row(item.inputs["input_ids"].shape[1], length, item.malicious)
        for item, length in zip(items, lengths, strict=True)
    ]


def work_of(rows: Sequence[Row], own_answers: int, recipe: Recipe, training: CasaTrainingArguments) -> Work:
    """What training takes of these rows, in batches as training makes them.

    Args:
        rows: of the examples.
        own_answers: of them, those that the base model answers first.
        recipe: of the data.
        training: batch size, epochs, steps and seed.

    Raises:
        ValueError: the batch size is odd, or a class is missing.
    """
    whole = BalancedBatches(
        [row.malicious for row in rows],
        [(bool(row.answer), row.prompt + row.answer) for row in rows],
        training.step_batch_size,
        math.ceil(training.num_train_epochs),
        training.seed,
    )
    batches = list(RankBatches(whole, accumulated=training.gradient_accumulation_steps))
    steps = len(whole)
    if training.max_steps > 0:
        batches *= math.ceil(training.max_steps / steps)
        steps = training.max_steps
    used = batches[: steps * training.gradient_accumulation_steps]
    # a row is its prompt, the safety token, and its answer but for the last token, both padded to the batch's longest
    shapes = [(len(batch), max(rows[i].prompt for i in batch), max(rows[i].answer for i in batch)) for batch in used]
    size, prompt, answer = max(shapes, key=lambda shape: shape[0] * (shape[1] + shape[2]))
    return Work(
        steps=steps,
        tokens=sum(count * (longest + length) for count, longest, length in shapes),
        answer_positions=sum(count * (length + 1) for count, _, length in shapes),
        rows=size,
        row_tokens=prompt + answer,
        row_answer=answer + 1,
        own_answers=own_answers,
        own_answer_tokens=recipe.max_response_tokens,
        prompt_tokens=sum(row.prompt for row in rows) / len(rows),
        fitted=min(recipe.attention_examples, len(rows)) if recipe.attention_epochs else 0,
    )
