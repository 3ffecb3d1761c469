"""One turn from the question to what the decision looked at; each step is there as soon as it is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from casa.apps.playground.backend import Backend
from casa.apps.playground.conversation import Exchange, Said, with_casa, without_casa
from casa.errors import CasaError
from casa.model.messages import Message
from casa.model.outputs import Attribution


@dataclass(frozen=True)
class Turn:
    """A turn as far as it has come.

    Attributes:
        question: the user's message.
        casa: the answer with CASA.
        base: the answer without; None before it has begun.
        attributions: shares of v_s of the prompt's tokens; None where they are not known.
        error: why it ended early, or "".
        done: whether everything is there.
    """

    question: Message
    casa: Said = field(default_factory=Said)
    base: Said | None = None
    attributions: Sequence[Attribution] | None = None
    error: str = ""
    done: bool = False

    def exchange(self) -> Exchange:
        """For the conversation that goes on."""
        return Exchange(self.question, self.casa, self.base)


def turns(backend: Backend, exchanges: Sequence[Exchange], question: Message) -> Iterator[Turn]:
    """The turn again and again as it grows: verdict, answer with CASA, attention, answer without.

    An error ends it; what was there before stays, and the last one tells the error.
    """
    turn = Turn(question)
    yield turn
    try:
        conversation = with_casa(exchanges, question)
        for said in backend.casa(conversation):
            turn = replace(turn, casa=said)
            yield turn
        if backend.explain is not None and not _failed(turn):
            turn = replace(turn, attributions=backend.explain(conversation))
            yield turn
        if backend.base is not None:
            for said in backend.base(without_casa(exchanges, question)):
                turn = replace(turn, base=said)
                yield turn
    except CasaError as error:
        yield replace(turn, error=str(error))
        return
    yield replace(turn, done=True)


def _failed(turn: Turn) -> bool:
    return turn.casa.verdict is None or turn.casa.verdict.failed
