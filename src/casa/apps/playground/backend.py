"""Who answers on the page: always a door with OpenAI's API, elsewhere or in this process."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transformers import TextIteratorStreamer

from casa.apps.playground.client import Client
from casa.apps.playground.conversation import Said
from casa.model.messages import Message
from casa.model.outputs import Attribution
from casa.serving.background import in_background
from casa.serving.door import Door
from casa.serving.settings import Settings
from casa.serving.transformers import TransformersEngine

if TYPE_CHECKING:
    from casa.baselines.pretrained import Undefended
    from casa.model.casa_model import CasaModel

Answers = Callable[[Sequence[Message]], Iterator[Said]]


@dataclass(frozen=True)
class Backend:
    """What the page can ask.

    Attributes:
        model: its name.
        casa: answers with CASA.
        base: answers of the same model without CASA; None if nobody gives them.
        explain: each prompt token's share of v_s; None where it cannot be told.
        threshold: where the slider stands at first.
    """

    model: str
    casa: Answers
    base: Answers | None = None
    explain: Callable[[Sequence[Message]], list[Attribution]] | None = None
    threshold: float = 0.5


def elsewhere(casa: Client, base: Client | None) -> Backend:
    """Servers that run already; they tell no attention.

    Raises:
        ServerError: one of them cannot be asked.
    """
    if base is not None:
        base.model  # noqa: B018  # tells at once if it is not there
    return Backend(casa.model, casa.answers, base.answers if base is not None else None)


@contextmanager
def in_this_process(name: str, casa: CasaModel, base: Undefended, max_new_tokens: int) -> Iterator[Backend]:
    """A door in front of `casa`, for this process only, and `base` beside it.

    Args:
        name: of the model, as people call it.
        casa: of which nobody else makes use meanwhile.
        base: the same model without CASA, likewise.
        max_new_tokens: longest answer.
    """
    key = secrets.token_urlsafe()
    engine = TransformersEngine(casa)
    with (
        in_background(Door(engine, Settings(name, api_key=key, max_new_tokens=max_new_tokens))) as url,
        ThreadPoolExecutor(1, "casa-undefended") as thread,
    ):
        client = Client(url, max_new_tokens, key)
        yield Backend(
            name,
            client.answers,
            lambda messages: _undefended(thread, base, messages, max_new_tokens),
            engine.explain,
            casa.config.threshold,
        )


def _undefended(
    thread: ThreadPoolExecutor, base: Undefended, messages: Sequence[Message], max_new_tokens: int
) -> Iterator[Said]:
    """The base model's answer as it grows; one after the other, in a thread of its own."""
    streamer = TextIteratorStreamer(base.chat.tokenizer, skip_prompt=True, skip_special_tokens=True)
    done = thread.submit(base.respond, messages, max_new_tokens, streamer=streamer)
    done.add_done_callback(lambda _: streamer.on_finalized_text("", stream_end=True))  # also where it failed
    text = ""
    for piece in streamer:
        text += piece
        yield Said(text.lstrip())
    yield Said(done.result(), finish_reason="stop")
