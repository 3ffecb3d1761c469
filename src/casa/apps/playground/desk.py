"""What happens when something is pressed: from what the page holds to what it shows then, by the names of its parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from casa.apps.playground.attacks import Attack, drafted
from casa.apps.playground.backend import Backend
from casa.apps.playground.conversation import Exchange, question_of, with_casa
from casa.apps.playground.tradeoff import TradeOff
from casa.apps.playground.turn import Turn, turns
from casa.apps.playground.views import (
    answers_html,
    attention_html,
    earlier_html,
    note_html,
    question_html,
    trade_off_html,
    verdict_html,
)
from casa.errors import CasaError
from casa.evaluation.demo import DemoPrompt, demo_prompts

Box = dict[str, Any]  # {"text": ..., "files": paths}
View = dict[str, Any]
PARTS = ("box", "session", "note", "question", "answers", "attention", "earlier", "verdict", "trade_off")
_EMPTY = {"text": "", "files": []}


@dataclass(frozen=True)
class Session:
    """What is known of one open page.

    Attributes:
        exchanges: the conversation so far.
        turn: that is shown; None while it runs, and before the first.
        query: that attacks are made of.
        attacked: what the last attack wrote into the box, which is no query of its own.
        pressed: how often attack buttons were pressed.
        examples: how often the example button was.
    """

    exchanges: tuple[Exchange, ...] = ()
    turn: Turn | None = None
    query: str = ""
    attacked: str = ""
    pressed: int = 0
    examples: int = 0

    def heard(self, text: str) -> Session:
        """After this stood in the box: it is the query, unless an attack wrote it."""
        return self if text.strip() in ("", self.attacked) else replace(self, query=text.strip(), attacked="")


@dataclass(frozen=True)
class Desk:
    """What all open pages share.

    Attributes:
        backend: who answers.
        measured: the trade-off of thresholds; None if it was not measured.
        reason: why not.
        folder: for the images and clips of attacks.
    """

    backend: Backend
    measured: TradeOff | None
    reason: str
    folder: Path

    def send(self, box: Box, session: Session, threshold: float) -> Iterator[View]:
        """Asks what is in the box; after an error it is there again."""
        try:
            question = question_of(box["text"], box["files"])
        except CasaError as error:
            yield {"note": note_html(str(error))}
            return
        running = replace(session.heard(box["text"]), turn=None)
        yield {
            **{"box": _EMPTY, "note": "", "attention": "", "question": question_html(question), "session": running},
            **{"earlier": earlier_html(session.exchanges), "verdict": verdict_html(None, threshold)},
        }
        last = Turn(question)
        for turn in turns(self.backend, session.exchanges, question):
            yield self._news(last, turn, session, threshold)
            last = turn
        exchanges = (*session.exchanges, last.exchange()) if last.done else session.exchanges
        yield {"session": replace(running, turn=last, exchanges=exchanges), **({"box": box} if last.error else {})}

    def _news(self, before: Turn, turn: Turn, session: Session, threshold: float) -> View:
        """What a turn has that it had not before."""
        view: View = {"answers": answers_html(turn, self.backend.base is not None)}
        if turn.casa.verdict is not None and before.casa.verdict is None:
            view["verdict"] = verdict_html(turn.casa.verdict, threshold)
        if turn.attributions is not None and before.attributions is None and turn.casa.verdict is not None:
            conversation = with_casa(session.exchanges, turn.question)
            view["attention"] = attention_html(conversation, turn.attributions, turn.casa.verdict)
        return view

    def attack(self, attack: Attack, box: Box, session: Session) -> View:
        """Turns the query in the box, or else the last one, into an attack; it is not sent."""
        heard = session.heard(box["text"])
        if not heard.query:
            return {"note": note_html("write a query first; this button turns it into an attack then")}
        try:
            draft = drafted(attack, heard.query, heard.pressed, self.folder)
        except CasaError as error:
            return {"note": note_html(str(error))}
        return {
            "box": {"text": draft.text, "files": list(draft.files)},
            "note": note_html(f"{attack.label} of “{heard.query}”: look at it in the box, and send it"),
            "session": replace(heard, attacked=draft.text.strip(), pressed=heard.pressed + 1),
        }

    def unattack(self, box: Box, session: Session) -> View:
        """Puts the query back as it was before an attack."""
        heard = session.heard(box["text"])
        return {"box": {**_EMPTY, "text": heard.query}, "note": "", "session": replace(heard, attacked="")}

    def example(self, session: Session) -> View:
        """Puts the next of the demo's prompts into the box, kind by kind."""
        prompt = _mixed(demo_prompts())[session.examples % len(demo_prompts())]
        return {
            "box": {**_EMPTY, "text": prompt.text},
            "note": note_html(f"an example, {prompt.kind}; it is not sent yet"),
            "session": replace(session, query=prompt.text, attacked="", examples=session.examples + 1),
        }

    def begin_anew(self, session: Session, threshold: float) -> View:
        """Forgets the conversation, and keeps what is in the box."""
        kept = Session(
            query=session.query, attacked=session.attacked, pressed=session.pressed, examples=session.examples
        )
        gone = dict.fromkeys(("note", "question", "answers", "attention", "earlier"), "")
        return {**gone, "verdict": verdict_html(None, threshold), "session": kept}

    def move(self, threshold: float, session: Session) -> View:
        """Shows what a threshold makes of the verdict, and what it costs and buys."""
        verdict = session.turn.casa.verdict if session.turn is not None else None
        return {"verdict": verdict_html(verdict, threshold), "trade_off": self.trade_off(threshold)}

    def trade_off(self, threshold: float) -> str:
        """What a threshold costs and buys."""
        return trade_off_html(self.measured, threshold, self.reason)


def _mixed(prompts: list[DemoPrompt]) -> list[DemoPrompt]:
    """One of each kind in turn."""
    kinds = list(dict.fromkeys(prompt.kind for prompt in prompts))
    by_kind = [[prompt for prompt in prompts if prompt.kind == kind] for kind in kinds]
    return [prompt for row in zip(*by_kind, strict=True) for prompt in row]
