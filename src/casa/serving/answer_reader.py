"""Reads one answer id by id, whichever engine brings the ids."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from casa.errors import MessageError, UnsafeStateError
from casa.method.tokens import SafetyTokens
from casa.model.outputs import Verdict
from casa.serving.engine import Decided, Ended, Piece


class AnswerReader:
    """The verdict, the given beginning behind a safe one, then text, up to the end.

    Args:
        tokens: the safety tokens.
        stop_ids: ids that end the answer.
        tokenizer: that decodes.
        prefill_ids: the given beginning; it is not told again.
        max_new_tokens: of the text.

    Attributes:
        count: ids that were generated so far, the safety token included, the given beginning not.
        ended: whether the answer has its end.
    """

    def __init__(
        self,
        tokens: SafetyTokens,
        stop_ids: Collection[int],
        tokenizer: Tokenizer,
        prefill_ids: Sequence[int],
        max_new_tokens: int,
    ) -> None:
        self._tokens, self._stop_ids, self._tokenizer = tokens, stop_ids, tokenizer
        self._prefill_ids, self._longest = prefill_ids, 1 + max_new_tokens
        self._decoder = DecodeStream(skip_special_tokens=True)
        self._verdict: Verdict | None = None
        self._given: list[int] = []  # ids of the prefill that are still to come, the next one last
        self.count = 0
        self.ended = False

    def decide(self, verdict: Verdict, prompt_tokens: int) -> Decided:
        """Takes note of the verdict, before the first id."""
        self._verdict = verdict
        self._given = [*reversed(self._prefill_ids)] if verdict.label == "safe" else []
        return Decided(verdict, prompt_tokens)

    def take(self, token: int) -> list[Piece | Ended]:
        """Reads the next id.

        Raises:
            UnsafeStateError: the first id is not the token that was decided, or the given beginning does not follow it.
        """
        if self.count == 0:
            self._require_decided(token)
            self.count = 1
            return []
        if self._given:
            if token != self._given.pop():
                raise UnsafeStateError("the generation left the given beginning out; its output is withheld")
            return []
        return self._read(token)

    def _require_decided(self, token: int) -> None:
        unsafe = self._verdict is None or self._verdict.label == "unsafe"
        if self._verdict is None or token != (self._tokens.unsafe if unsafe else self._tokens.safe):
            raise UnsafeStateError("the generation went round the safety token; its output is withheld")

    def _read(self, token: int) -> list[Piece | Ended]:
        self.count += 1
        stopped = token in self._stop_ids
        text = None if stopped else self._decoder.step(self._tokenizer, token)
        events: list[Piece | Ended] = [Piece(text, self.count)] if text else []
        if stopped or self.count >= self._longest:
            self.ended = True
            events.append(Ended("stop" if stopped else "length", self.count))
        return events


def room_for_text(window: int, prompt_tokens: int, prefill_tokens: int) -> int:
    """Tokens of text that fit into a model's window behind the prompt, the safety token and the given beginning.

    Raises:
        MessageError: none does.
    """
    room = window - prompt_tokens - 1 - prefill_tokens
    if room < 1:
        raise MessageError(f"the prompt is too long: the model takes {window} tokens, its answer included")
    return room
