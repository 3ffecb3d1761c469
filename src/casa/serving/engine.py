"""What the door asks of an engine, and nothing about how an engine works."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from casa.errors import CasaError
from casa.model.outputs import FinishReason, Verdict

Conversation = Sequence[Mapping[str, Any]]


class EngineError(CasaError, RuntimeError):
    """The engine failed, so nothing is answered; its cause says why."""


@dataclass(frozen=True)
class Sampling:
    """How the text behind the safety token is decoded; the token itself is out of its reach.

    Attributes:
        max_new_tokens: length of the answer, the safety token and a prefill not counted.
        temperature: 0 decodes greedily.
        top_p: share of probability that is drawn from, in (0, 1].
        seed: makes a drawn answer repeatable.
    """

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


@dataclass(frozen=True)
class Turn:
    """A conversation to answer.

    Attributes:
        messages: in casa's chat form; media are bytes or data URLs. A last assistant message is a prefill: it is continued after
            the safe token, and left out after the unsafe one.
        sampling: of the text.
        tools: for the model's chat template, in OpenAI's form; empty for none.
    """

    messages: Conversation
    sampling: Sampling
    tools: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Decided:
    """The first event of an answer: the verdict that everything after it is conditioned on.

    Attributes:
        verdict: of this turn.
        prompt_tokens: length of the prompt.
    """

    verdict: Verdict
    prompt_tokens: int


@dataclass(frozen=True)
class Piece:
    """The next piece of the answer's text.

    Attributes:
        text: without safety token and prefill.
        tokens: generated so far, the safety token included.
    """

    text: str
    tokens: int


@dataclass(frozen=True)
class Retracted:
    """The last event of an answer that the engine takes back; what was not sent yet is not sent, and a refusal follows.

    Attributes:
        tokens: generated so far, the safety token included.
    """

    tokens: int


@dataclass(frozen=True)
class Ended:
    """The last event of any other answer; an answer without an end has failed.

    Attributes:
        finish_reason: "stop" or "length" from an engine; the door says "content_filter" where it refuses.
        tokens: generated in all, the safety token included.
    """

    finish_reason: FinishReason
    tokens: int


Event = Decided | Piece | Retracted | Ended


class Engine(Protocol):
    """Decides on conversations, and answers them; it batches by itself.

    Malformed conversations raise `casa.errors.MessageError`, failures `EngineError`. The door never takes a missing verdict for
    a safe one.
    """

    async def start(self) -> None:
        """Called once, in the event loop that the engine is used from, before anything else."""

    async def stop(self) -> None:
        """Called once, when nothing is asked any more; what still runs is cancelled."""

    def alive(self) -> bool:
        """Whether it can still answer; one that has failed for good cannot."""

    def waiting(self) -> int:
        """Conversations that wait for their batch."""

    async def classify(self, conversations: Sequence[Conversation]) -> list[Verdict]:
        """Verdicts without answers: one prefill each, nothing is decoded."""

    def answer(self, turn: Turn) -> AsyncGenerator[Event, None]:
        """`Decided`, then pieces of text, then `Ended` or `Retracted`; closing the generator stops the generation."""
