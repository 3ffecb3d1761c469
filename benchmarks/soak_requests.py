"""What a soak asks: conversations whose verdict is known, in every form that a client may give them, and what must be refused."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.load import CHAT
from casa.apps.playground.conversation import RATE, to_openai
from casa.attacks.typography import in_a_picture
from casa.evaluation.drawings import as_data_url, wav_url
from casa.model.casa_model import CasaModel
from casa.model.outputs import Verdict

MODERATIONS = "/v1/moderations"
LARGEST_DRIFT = 1e-2  # of p_unsafe: what batches and chunks may move it by rounding, bfloat16 included
_AT_ONCE = 16
_EVERY = 4  # of so many texts one is also drawn in a picture, and one has a clip beside it
_TOOL = {
    "type": "function",
    "function": {"name": "look_up", "description": "Finds it.", "parameters": {"type": "object"}},
}
_MAY_REFUSE = (200, 400)


class Known(NamedTuple):
    """A conversation of one message, and the verdict that every server must give on it.

    Attributes:
        messages: in OpenAI's form.
        verdict: of the same model in transformers.
    """

    messages: list[dict[str, Any]]
    verdict: Verdict

    def agrees(self, label: str, p_unsafe: float) -> bool:
        """Whether a server's verdict is this one: close to the threshold rounding decides the label."""
        near = abs(self.verdict.p_unsafe - self.verdict.threshold) <= LARGEST_DRIFT
        return abs(p_unsafe - self.verdict.p_unsafe) <= LARGEST_DRIFT and (near or label == self.verdict.label)


class Form(NamedTuple):
    """One way to ask.

    Attributes:
        path: of the endpoint.
        fields: of the body, beside the conversation.
        statuses: that it may be answered with.
        prefill: the beginning of the answer.
        alone: whether the verdict is about the conversation alone.
    """

    path: str = CHAT
    fields: dict[str, Any] = {}  # noqa: RUF012
    statuses: Collection[int] = (200,)
    prefill: str | None = None
    alone: bool = True

    def body(self, model: str, messages: Sequence[dict[str, Any]], max_tokens: int) -> dict[str, Any]:
        """The body of a request."""
        if self.path == MODERATIONS:
            content = messages[0]["content"]
            return {"model": model, "input": [content] if isinstance(content, str) else content}
        given = [{"role": "assistant", "content": self.prefill}] if self.prefill else []
        return {"model": model, "messages": [*messages, *given], "max_tokens": max_tokens, **self.fields}


FORMS = {
    "chat": Form(fields={"temperature": 1.0}),
    "stream": Form(fields={"stream": True}),
    "left": Form(fields={"stream": True}),  # by its client, after the verdict
    "moderation": Form(MODERATIONS),
    "prefill": Form(prefill="Sure, here is", fields={"stream": True}),
    "stop": Form(fields={"stop": [".", "\n"]}),
    "seed": Form(fields={"seed": 1, "temperature": 1.0}, statuses=_MAY_REFUSE),  # vLLM on a CPU draws none
    "tools": Form(fields={"tools": [_TOOL]}, statuses=_MAY_REFUSE, alone=False),  # not every chat template shows them
}


def known(casa: CasaModel, texts: Sequence[str], media: bool = True) -> list[Known]:
    """Texts, some of them in pictures and beside clips too, with their verdicts.

    Args:
        casa: the model that is served.
        texts: of users.
        media: whether there are pictures and clips among them, which the model must take.
    """
    asked = [[{"role": "user", "content": text}] for text in texts]
    if media:
        asked += [_with_urls(in_a_picture(text)) for text in texts[::_EVERY]]
        asked += [_beside_a_clip(text) for text in texts[1::_EVERY]]
    batches = [asked[start : start + _AT_ONCE] for start in range(0, len(asked), _AT_ONCE)]
    verdicts = [verdict for batch in batches for verdict in casa.classify(batch)]
    return [Known(to_openai(messages), verdict) for messages, verdict in zip(asked, verdicts, strict=True)]


def bad_requests(model: str) -> dict[str, tuple[str, bytes, Collection[int]]]:
    """Path, body and expected statuses of requests that must be refused, by kind, and of one that ended an engine once."""

    def chat(**fields: Any) -> bytes:
        return json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}], **fields}).encode()

    broken = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    long = [{"role": "user", "content": "word " * 3000}]  # more than a chunk
    return {
        "no JSON": (CHAT, b"{", (400,)),
        "steering": (CHAT, chat(logit_bias={"5": 100}), (400,)),
        "unknown field": (CHAT, chat(skip_safety=True), (400,)),
        "unknown model": (CHAT, chat(model="another"), (404,)),
        "broken image": (CHAT, chat(messages=[{"role": "user", "content": broken}]), (400,)),
        "too long": (CHAT, chat(messages=[{"role": "user", "content": "word " * 100_000}]), (400,)),
        "seeded and long": (CHAT, chat(messages=long, seed=1, temperature=1.0, max_tokens=2), _MAY_REFUSE),
        "too many inputs": (MODERATIONS, json.dumps({"input": ["x"] * 5000}).encode(), (400,)),
    }


def _beside_a_clip(text: str) -> list[dict[str, Any]]:
    times = np.arange(RATE) / RATE
    clip = {"type": "audio", "audio": wav_url(0.3 * np.sin(2 * np.pi * 440 * times), RATE)}
    return [{"role": "user", "content": [clip, {"type": "text", "text": text}]}]


def _with_urls(conversation: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with pictures as data URLs, which both sides read alike."""

    def parts(turn: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for part in turn["content"]:
            yield {**part, "image": as_data_url(part["image"])} if part["type"] == "image" else part

    return [{**turn, "content": list(parts(turn))} for turn in conversation]
