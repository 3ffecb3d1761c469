"""inspect-ai's model providers: `casa/MODEL`, `defence/FOLDER` and, without the defence, `undefended/MODEL`."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import anyio
from anyio import to_thread
from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput
from inspect_ai.tool import ToolChoice, ToolInfo

from casa.baselines.methods import load_defence
from casa.baselines.pretrained import Undefended
from casa.errors import CasaError
from casa.evaluation.harness.conversion import to_conversation, to_output
from casa.evaluation.sources import read_source
from casa.method.config import SAFETY_PROMPT, CasaConfig
from casa.model.bases import load_base, load_processor, pinned
from casa.model.casa_model import CasaModel
from casa.model.messages import ChatFormat

_DEFAULT_TOKENS = 256
_CHARACTERS = 4096  # of a conversation; of longer ones a batch holds fewer, so that it takes no more memory
_MEDIUM = 1600  # characters that take as many tokens as a common picture or clip


@dataclass(eq=False)
class _Request:
    """One call of `generate`, and what became of it.

    Attributes:
        conversation: in our chat form.
        settings: of decoding; only requests with the same ones share a batch.
        outcome: set once it is answered.
    """

    conversation: list[dict[str, Any]]
    settings: dict[str, Any]
    outcome: ModelOutput | Exception | None = None

    @cached_property
    def length(self) -> int:
        """About how long the prompt is, in characters; a medium counts as so many."""
        contents = (message["content"] for message in self.conversation)
        return sum(len(c) if isinstance(c, str) else sum(map(_length, c)) for c in contents)


def _length(part: dict[str, Any]) -> int:
    return len(part["text"]) if part["type"] == "text" else _MEDIUM


class BatchedAPI(ModelAPI):
    """A model in this process that answers the requests that wait together.

    Whoever gets the turn answers those that have come in meanwhile and are of like length, so that batches fill up by themselves
    under load and a lone request never waits.

    Attributes:
        chat: the model's chat format.

    Args:
        model_name: of the model.
        base_url: not used.
        api_key: not used.
        config: inspect-ai's defaults for decoding.
        batch_size: most conversations at once; of long ones fewer, as what they take grows with the longest of them.
    """

    chat: ChatFormat

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - inspect-ai's own signature
        batch_size: int = 16,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self._batch_size = batch_size
        self._waiting: deque[_Request] = deque()
        self._turn = anyio.Lock()

    def max_connections(self) -> int:
        """Twice the batch, so that the next one is ready when one is done."""
        return 2 * self._batch_size

    def max_tokens(self) -> int:
        """Where nothing else is asked for."""
        return _DEFAULT_TOKENS

    async def count_text_tokens(self, text: str) -> int:
        """By the model's own tokenizer; inspect-ai's default would fetch one from the network."""
        return len(self.chat.text_ids(text))

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Answers one conversation.

        Raises:
            CasaError: the conversation is malformed or holds what this model cannot take.
        """
        request = _Request(to_conversation(input), _decoding(config))
        self._waiting.append(request)
        await anyio.sleep(0)  # others that are ready queue up too
        async with self._turn:
            while request.outcome is None:
                await to_thread.run_sync(self._answer, self._next_batch())
        if isinstance(request.outcome, Exception):
            raise request.outcome
        return request.outcome

    def _next_batch(self) -> list[_Request]:
        """The request that has waited longest, and others with its settings and of like length, as many as fit."""
        first, room = self._waiting[0], self._batch_size * _CHARACTERS
        alike = [request for request in self._waiting if request.settings == first.settings]
        batch: list[_Request] = []
        for request in sorted(alike, key=lambda request: abs(request.length - first.length)):
            longest = max(one.length for one in (*batch, request))
            if not batch or (len(batch) < self._batch_size and longest * (len(batch) + 1) <= room):
                batch.append(request)
        for request in batch:
            self._waiting.remove(request)
        return batch

    def _answer(self, batch: list[_Request]) -> None:
        """Answers a batch; if it holds a bad conversation, each is answered alone."""
        try:
            outputs = self.outputs([request.conversation for request in batch], batch[0].settings)
        except Exception as error:
            if len(batch) == 1:
                batch[0].outcome = error
            elif isinstance(error, CasaError):
                for request in batch:
                    self._answer([request])
            else:
                for request in batch:
                    request.outcome = error
        else:
            for request, output in zip(batch, outputs, strict=True):
                request.outcome = output

    @abstractmethod
    def outputs(self, conversations: list[list[dict[str, Any]]], settings: dict[str, Any]) -> list[ModelOutput]:
        """Answers to a batch, in its order; `settings` are arguments of `respond`."""


class CasaAPI(BatchedAPI):
    """`casa/MODEL`: casa-nano, a folder, or a hub id; `safety_prompt` adds the built-in safety prompt."""

    def __init__(self, model_name: str, *args: Any, safety_prompt: bool = False, **options: Any) -> None:
        super().__init__(model_name, *args, **options)
        overrides = {"safety_prompt": SAFETY_PROMPT} if safety_prompt else {}
        self.casa = CasaModel.from_pretrained(model_name, overrides=overrides)
        self.chat = self.casa.chat

    def outputs(self, conversations: list[list[dict[str, Any]]], settings: dict[str, Any]) -> list[ModelOutput]:
        """See `BatchedAPI.outputs`."""
        return [to_output(self.model_name, response) for response in self.casa.respond(conversations, **settings)]


class DefenceAPI(BatchedAPI):
    """`defence/FOLDER`: any method that `casa train --method` wrote into a folder. Answers are greedy."""

    def __init__(self, model_name: str, *args: Any, **options: Any) -> None:
        super().__init__(model_name, *args, **options)
        self.defence = load_defence(model_name)

    async def count_text_tokens(self, text: str) -> int:
        """By words, for inspect-ai's display only: a guard and its model may have a tokenizer each."""
        return len(text.split())

    def outputs(self, conversations: list[list[dict[str, Any]]], settings: dict[str, Any]) -> list[ModelOutput]:
        """See `BatchedAPI.outputs`.

        Raises:
            CasaError: a temperature is asked for.
        """
        if settings.keys() != {"max_new_tokens"}:
            raise CasaError("defence/... answers greedily; leave the temperature out")
        return [to_output(self.model_name, a) for a in self.defence.respond(conversations, settings["max_new_tokens"])]


class UndefendedAPI(BatchedAPI):
    """`undefended/MODEL`: the base model of a CASA model or of another method, without it; or a base model by its own name."""

    def __init__(self, model_name: str, *args: Any, **options: Any) -> None:
        super().__init__(model_name, *args, **options)
        self.base = _undefended(model_name)
        self.chat = self.base.chat

    def outputs(self, conversations: list[list[dict[str, Any]]], settings: dict[str, Any]) -> list[ModelOutput]:
        """See `BatchedAPI.outputs`."""
        answers = self.base.respond(conversations, **settings)
        return [ModelOutput.from_content(self.model_name, answer) for answer in answers]


def _undefended(name: str) -> Undefended:
    source = read_source(name)
    if source.provider == "casa":
        return Undefended.from_pretrained(name)
    base, files = source.base["name"], pinned(source.base)
    return Undefended.around(load_base(base, **files), load_processor(base, **files), CasaConfig())


def _decoding(config: GenerateConfig) -> dict[str, Any]:
    """Arguments of `respond`; greedy unless a temperature above 0 is asked for, so that runs repeat."""
    settings: dict[str, Any] = {"max_new_tokens": config.max_tokens or _DEFAULT_TOKENS}
    if config.temperature:
        sampled = {"temperature": config.temperature, "top_p": config.top_p, "top_k": config.top_k}
        settings |= {"do_sample": True, **{name: value for name, value in sampled.items() if value is not None}}
    return settings
