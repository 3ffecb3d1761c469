"""What the page shows, as HTML; everything that a user or a model wrote is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from casa.apps.playground.conversation import RATE, Exchange
from casa.apps.playground.tradeoff import TradeOff
from casa.apps.playground.turn import Turn
from casa.data.held_out import HARMFUL, HARMLESS
from casa.evaluation.drawings import as_data_url, heat_over_image, heat_over_sound, heat_over_text, placed
from casa.evaluation.table_parts import KIND_NAMES
from casa.model.images import load_image
from casa.model.messages import Message, media_parts
from casa.model.outputs import Attribution, Verdict
from casa.model.waveforms import load_audio
from casa.nano import NANO_NAME

FOLDER = Path(__file__).parent
_LONGEST_SIDE = 896  # pixels of an image in the page
_STEPS = 100  # of a curve over all thresholds
_KINDS = {"text": "text", "image": "images", "audio": "sound"}


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _rendered(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


def intro_html(model: str, base: bool) -> str:
    """The page's title, and what it does."""
    return _rendered("intro.html.j2", model=model, has_base=base, small=model == NANO_NAME)


def note_html(told: str) -> str:
    """A line below the box; the words become a sentence."""
    return _rendered("note.html.j2", told=f"{told[:1].upper()}{told[1:]}.")


def question_html(question: Message) -> str:
    """What the user asked."""
    return _rendered("question.html.j2", parts=question["content"])


def answers_html(turn: Turn, base: bool) -> str:
    """Both answers side by side, or what went wrong; `base` tells whether there is one without CASA at all."""
    return _rendered("answers.html.j2", turn=turn, has_base=base, has_media=bool(media_parts([turn.question])))


def earlier_html(exchanges: Sequence[Exchange]) -> str:
    """The turns before; "" if there are none."""
    return _rendered("earlier.html.j2", exchanges=exchanges) if exchanges else ""


def verdict_html(verdict: Verdict | None, threshold: float) -> str:
    """The verdict, the meters of p_unsafe and v_s, and what another threshold would make of it."""
    return _rendered("verdict.html.j2", verdict=verdict, threshold=threshold)


def trade_off_html(measured: TradeOff | None, threshold: float, reason: str) -> str:
    """The rates at a threshold and the curves over all; without a measurement the reason why there is none."""
    if measured is None:
        return _rendered("tradeoff.html.j2", measured=None, reason=reason)
    groups = [("Malicious, called unsafe (TPR)", HARMFUL), ("Harmless, called unsafe (FPR)", HARMLESS)]
    return _rendered(
        "tradeoff.html.j2",
        measured=measured,
        threshold=threshold,
        groups=groups,
        names=KIND_NAMES,
        rates={kind: measured.called_unsafe(kind, threshold) for kind in measured.scores},
        curves={kind: _curve(measured, kind) for kind in measured.scores},
    )


def _curve(measured: TradeOff, kind: str) -> str:
    """Points of an SVG of 100 by 100: the threshold from left to right, the share called unsafe from below."""
    thresholds = [i / _STEPS for i in range(1, _STEPS + 1)]
    return " ".join(f"{100 * t:g},{100 - 100 * measured.called_unsafe(kind, t).rate:.2f}" for t in thresholds)


def attention_html(messages: Sequence[Message], attributions: Sequence[Attribution], verdict: Verdict) -> str:
    """Shares of v_s over the text, the images and the clips of a conversation."""
    of = {kind: sum(a.weight for a in attributions if _kind(a) == kind) for kind in _KINDS}
    total = sum(of.values()) or 1.0
    return _rendered(
        "attention.html.j2",
        shares={_KINDS[kind]: share / total for kind, share in of.items() if kind == "text" or share},
        tokens=heat_over_text([a for a in attributions if a.place is None], verdict.risk),
        images=[
            as_data_url(heat_over_image(_small(part["image"]), placed(attributions, "image", number)))
            for number, part in enumerate(_media(messages, "image"))
        ],
        clips=[
            as_data_url(heat_over_sound(load_audio(part["audio"], RATE), RATE, placed(attributions, "audio", number)))
            for number, part in enumerate(_media(messages, "audio"))
        ],
    )


def _kind(attribution: Attribution) -> str:
    return "text" if attribution.place is None else attribution.place.kind


def _media(messages: Sequence[Message], kind: str) -> list[dict[str, Any]]:
    return [part for part in media_parts(messages) if part["type"] == kind]


def _small(source: str) -> Any:
    image = load_image(source)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    return image
