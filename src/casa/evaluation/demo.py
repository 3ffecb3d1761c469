"""The demo: prompts, each answered by the base model and by the same model with CASA. Prints nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import torch
from torch import Tensor

from casa.baselines.pretrained import Undefended
from casa.model.casa_model import CasaModel
from casa.model.messages import Message, media_parts
from casa.model.outputs import Attribution, Verdict
from casa.model.refusal import is_refusal

HARMFUL_KINDS = ("malicious", "jailbreak")
HARMLESS_KINDS = ("benign", "lookalike")
ANSWER_TOKENS = 16
TEXT = "text"  # the form of a prompt that is sent as it is written
KEPT_WORDS = 6  # of an answer to a harmful prompt: enough to see what it does, too little to be of use


@dataclass(frozen=True)
class DemoPrompt:
    """One prompt of the demo.

    Attributes:
        id: its name.
        kind: benign, malicious, jailbreak or lookalike (harmless, but with an alarming word).
        text: what the user asks.
    """

    id: str
    kind: str
    text: str

    def messages(self) -> list[Message]:
        """The conversation."""
        return [{"role": "user", "content": self.text}]


def demo_prompts() -> list[DemoPrompt]:
    """The prompts that the package carries."""
    text = (resources.files("casa") / "data" / "demo.jsonl").read_text(encoding="utf-8")
    return [DemoPrompt(**json.loads(line)) for line in text.splitlines()]


@dataclass(frozen=True)
class Asked:
    """A prompt in the form in which it is sent.

    Attributes:
        prompt: the prompt.
        form: name of the form, `TEXT` or one of `casa.evaluation.forms`.
        messages: the conversation.
    """

    prompt: DemoPrompt
    form: str
    messages: Sequence[Message]


def in_text(prompts: Sequence[DemoPrompt]) -> list[Asked]:
    """Prompts as they are written."""
    return [Asked(prompt, TEXT, prompt.messages()) for prompt in prompts]


@dataclass(frozen=True)
class DemoRow:
    """What became of one prompt.

    Attributes:
        prompt: the prompt.
        form: in which it was sent.
        medium: the picture or clip that was sent, as a part of a message; None in text.
        base_answer: the base model's answer, cut if the prompt is harmful.
        base_refused: whether the whole answer declined.
        verdict: CASA's.
        casa_answer: CASA's answer, cut likewise.
        casa_refused: whether the whole answer declined.
        base_ms: time of the base model's prefill.
        casa_ms: time of CASA's prefill and decision.
        attributions: each prompt token's share of v_s.
    """

    prompt: DemoPrompt
    form: str
    medium: dict[str, Any] | None
    base_answer: str
    base_refused: bool
    verdict: Verdict
    casa_answer: str
    casa_refused: bool
    base_ms: float
    casa_ms: float
    attributions: list[Attribution]


def run_demo(casa: CasaModel, base: Undefended, asked: Sequence[Asked]) -> Iterator[DemoRow]:
    """Rows one by one, in the order of what is asked."""
    for number, one in enumerate(asked):
        prompt, messages = one.prompt, one.messages
        base_answer = base.respond(messages, ANSWER_TOKENS)
        response = casa.respond(messages, ANSWER_TOKENS)
        base_ms, casa_ms = prefill_times(casa, base, messages, casa_first=bool(number % 2))
        yield DemoRow(
            prompt=prompt,
            form=one.form,
            medium=next(iter(media_parts(messages)), None),
            base_answer=_kept(base_answer, prompt.kind),
            base_refused=is_refusal(base_answer),
            verdict=response.verdict,
            casa_answer=_kept(response.text, prompt.kind),
            casa_refused=is_refusal(response.text),
            base_ms=base_ms,
            casa_ms=casa_ms,
            attributions=casa.explain(messages),
        )


@torch.inference_mode()
def prefill_times(
    casa: CasaModel, base: Undefended, messages: Sequence[Message], casa_first: bool
) -> tuple[float, float]:
    """Milliseconds of the base model's prefill, and of CASA's with its decision; see `demo_report.METHODS`.

    `casa_first` is the order of the two, which callers alternate: the first one pays for cold caches.
    """
    inputs = casa.collate([casa.chat.prompt(messages)])
    head = base.model.get_output_embeddings()

    def plain() -> Tensor:
        return torch.as_tensor(base.model(**inputs, use_cache=True).logits[0, -1].argmax())

    def decided() -> Tensor:
        with casa.read_prefill(inputs["attention_mask"]) as reader:
            casa.base_model(**inputs, use_cache=True)
        return reader.decision().p_unsafe

    # CASA's reader computes logits of the last position only, as serving engines do; so must the base, or CASA would
    # get the credit for it.
    handle = head.register_forward_pre_hook(lambda module, args: (args[0][:, -1:], *args[1:]))
    try:
        if casa_first:
            casa_ms = _milliseconds(decided)
            return _milliseconds(plain), casa_ms
        return _milliseconds(plain), _milliseconds(decided)
    finally:
        handle.remove()


def _milliseconds(run: Callable[[], Tensor]) -> float:
    begun = time.perf_counter()
    run().tolist()  # waits for a GPU
    return (time.perf_counter() - begun) * 1000


def _kept(answer: str, kind: str) -> str:
    """An answer as it may be shown and stored: this project keeps no harmful ones."""
    words = answer.split()
    if kind not in HARMFUL_KINDS or len(words) <= KEPT_WORDS:
        return answer
    return " ".join(words[:KEPT_WORDS]) + " …"
