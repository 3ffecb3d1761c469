"""Batches for the conditional objective: prompts end in one column, responses begin in the next."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset, Sampler

from casa.data.reading import Example
from casa.method.objective import IGNORED
from casa.model.batching import collate_prompts, with_text
from casa.model.messages import ChatFormat


@dataclass(frozen=True)
class Sequenced:
    """One tokenized example.

    Attributes:
        inputs: the prompt's tensors, batch size 1.
        given_ids: ids of a given beginning of the answer, which is not trained.
        response_ids: ids of the answer, end-of-turn included unless it was cut; none where the verdict alone is trained.
        malicious: the label.
    """

    inputs: dict[str, Tensor]
    given_ids: list[int]
    response_ids: list[int]
    malicious: bool

    @property
    def length(self) -> int:
        """Tokens of prompt, safety token, given beginning and response."""
        return self.inputs["input_ids"].shape[1] + 1 + len(self.given_ids) + len(self.response_ids)

    @property
    def rank(self) -> tuple[bool, int]:
        """Where it stands when examples of like cost are put together: without a response first, then by length."""
        return bool(self.response_ids), self.length


def fitting(examples: Sequence[Example], chat: ChatFormat, max_prompt_tokens: int) -> list[Example]:
    """Examples whose prompt is at most `max_prompt_tokens` long."""
    return [e for e in examples if prompt_inputs(e, chat)["input_ids"].shape[1] <= max_prompt_tokens]


def prompt_inputs(example: Example, chat: ChatFormat) -> dict[str, Tensor]:
    """The prompt's tensors, batch size 1."""
    return chat.prompt(example.messages()).inputs


class ConditionalDataset(Dataset[Sequenced]):
    """Tokenized examples.

    Args:
        examples: those without an answer teach the verdict alone.
        chat: the model's chat format.
        max_response_tokens: answers are cut there; a cut one has no end-of-turn.
    """

    def __init__(self, examples: Sequence[Example], chat: ChatFormat, max_response_tokens: int) -> None:
        end = chat.end_of_turn_id()
        self.items: list[Sequenced] = []
        for example in examples:
            given, response = [], []
            if example.answer is not None:
                given = chat.text_ids(example.given) if example.given else []
                answer = f" {example.answer}" if given else example.answer
                response = [*chat.text_ids(answer), *([end] if example.complete else [])][:max_response_tokens]
            self.items.append(Sequenced(prompt_inputs(example, chat), given, response, example.malicious))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Sequenced:
        return self.items[index]


class BalancedBatches(Sampler[list[int]]):
    """Batches that hold both classes in equal number and examples of like cost, over all epochs at once.

    The smaller class is repeated. The order depends on the seed alone, so a run that resumes by skipping batches sees what
    an uninterrupted one would have seen.

    Args:
        labels: True for malicious, one an example.
        ranks: of the examples, by which neighbours in a batch are found.
        batch_size: even.
        epochs: passes over the larger class.
        seed: of the order.
        batches_an_epoch: None for as many as one pass over the larger class has.
    """

    _BUCKET = 64  # batches that are sorted together

    def __init__(
        self,
        labels: Sequence[bool],
        ranks: Sequence[Any],
        batch_size: int,
        epochs: int,
        seed: int,
        batches_an_epoch: int | None = None,
    ) -> None:
        if batch_size % 2:
            raise ValueError(f"batch size must be even to balance the classes, not {batch_size}")
        self._classes = [[i for i, label in enumerate(labels) if label == value] for value in (False, True)]
        if not all(self._classes):
            raise ValueError("training needs both benign and malicious examples")
        self._ranks, self.half, self._epochs, self._seed = ranks, batch_size // 2, epochs, seed
        self.batches_an_epoch = batches_an_epoch or max(map(len, self._classes)) // self.half or 1

    def __len__(self) -> int:
        return self._epochs * self.batches_an_epoch

    def __iter__(self) -> Iterator[list[int]]:
        for epoch in range(self._epochs):
            yield from self._epoch(random.Random(self._seed * 1000 + epoch))

    def _epoch(self, rng: random.Random) -> list[list[int]]:
        halves = [self._halves(members, rng) for members in self._classes]
        batches = [benign + malicious for benign, malicious in zip(*halves, strict=True)]
        rng.shuffle(batches)
        return batches

    def _halves(self, members: list[int], rng: random.Random) -> list[list[int]]:
        """Half-batches of one class, sorted by rank within buckets, so that the two classes' halves match."""
        wanted = self.batches_an_epoch * self.half
        order: list[int] = []
        while len(order) < wanted:
            order += rng.sample(members, len(members))
        order = order[:wanted]
        bucket = self._BUCKET * self.half
        halves = []
        for start in range(0, wanted, bucket):
            part = sorted(order[start : start + bucket], key=lambda i: self._ranks[i])
            halves += [part[i : i + self.half] for i in range(0, len(part), self.half)]
        return halves


class RankBatches(Sampler[list[int]]):
    """One rank's share of whole steps: each is cut into equal parts that hold both classes, one for every batch of every rank.

    So a step is made of the same examples whatever the number of ranks and of accumulated batches.

    Args:
        steps: the examples of each step.
        rank: this one.
        ranks: how many there are.
        accumulated: batches of a rank in a step.

    Raises:
        ValueError: a step cannot be cut so.
    """

    def __init__(self, steps: BalancedBatches, rank: int = 0, ranks: int = 1, accumulated: int = 1) -> None:
        self._steps, self._parts = steps, ranks * accumulated
        if steps.half % self._parts:
            raise ValueError(
                f"a step of {2 * steps.half} examples has no {self._parts} even parts with both classes alike"
            )
        self._mine = range(rank, self._parts, ranks)

    def __len__(self) -> int:
        return len(self._steps) * len(self._mine)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps:
            half = len(step) // 2
            for part in self._mine:
                yield step[:half][part :: self._parts] + step[half:][part :: self._parts]


class ConditionalCollator:
    """Stacks examples: prompts padded on the left, then the safety token, then responses padded on the right.

    All responses begin in one column, so the LM head runs on the last columns only, whatever the family.

    Args:
        chat: the model's chat format.
        with_token: False leaves the safety token out, for methods that have none.
    """

    def __init__(self, chat: ChatFormat, with_token: bool = True) -> None:
        self._tokens, self._with_token = chat.tokens, with_token
        pad = chat.tokenizer.pad_token_id
        self._pad = pad if pad is not None else chat.tokenizer.eos_token_id

    def __call__(self, items: Sequence[Sequenced]) -> dict[str, Any]:
        """A batch: model inputs, `prompt_mask` (batch, prompt), `response_ids` (batch, response), `malicious` (batch,).

        `response_ids` are the targets: -100 on padding and on given beginnings. The input has no column for their last.
        """
        prompts = collate_prompts([item.inputs for item in items], self._pad)
        malicious = torch.tensor([item.malicious for item in items])
        answers = [torch.tensor(item.given_ids + item.response_ids, dtype=torch.long) for item in items]
        answer = pad_sequence(answers, batch_first=True, padding_value=IGNORED)
        given = torch.arange(answer.shape[1]) < torch.tensor([len(item.given_ids) for item in items])[:, None]
        before = self._before(malicious)
        present = answer != IGNORED
        longest = max(0, before.shape[1] + answer.shape[1] - 1)
        tail = torch.cat([before, answer.masked_fill(~present, self._pad)], dim=1)[:, :longest]
        tail_mask = torch.cat([torch.ones_like(before), present.long()], dim=1)[:, :longest]
        prompt_mask = prompts["attention_mask"]
        inputs = {
            **with_text(prompts, longest),
            "input_ids": torch.cat([prompts["input_ids"], tail], dim=1),
            "attention_mask": torch.cat([prompt_mask, tail_mask], dim=1),
        }
        return {
            "inputs": inputs,
            "prompt_mask": prompt_mask,
            "response_ids": answer.masked_fill(given, IGNORED),
            "malicious": malicious,
        }

    def _before(self, malicious: Tensor) -> Tensor:
        """What stands between prompt and response, shape (batch, 1 or 0)."""
        token = torch.where(malicious, self._tokens.unsafe, self._tokens.safe)[:, None]
        return token if self._with_token else token[:, :0]
