"""The attack buttons: a query in the form in which an attacker would send it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from casa.attacks.speech import LISTEN_PROMPT, spelled_out, spoken
from casa.attacks.typography import figstep, in_a_picture
from casa.data.reading import Template, jailbreak_templates
from casa.errors import CasaError, MessageError
from casa.nano.speech.speakable import speakable
from casa.nano.speech.synthesizers import Espeak

_VOICE = "en-us"
Conversation = list[dict[str, Any]]


@dataclass(frozen=True)
class Attack:
    """One button.

    Attributes:
        name: for programs.
        label: on the button.
        make: the attack on a query; the number tells how often the button was pressed before.
    """

    name: str
    label: str
    make: Callable[[str, int], Conversation]


@dataclass(frozen=True)
class Draft:
    """What stands in the box.

    Attributes:
        text: written.
        files: images and clips.
    """

    text: str
    files: tuple[str, ...] = ()


def _say(text: str) -> Any:
    return Espeak().say(speakable(text), _VOICE)


@cache
def _templates() -> Sequence[Template]:
    """Framings of kinds that training never saw."""
    return jailbreak_templates("test")


def _framed(query: str, pressed: int) -> Conversation:
    return [{"role": "user", "content": _templates()[pressed % len(_templates())].fill(query)}]


ATTACKS = (
    Attack("typography", "Typographic image", lambda query, _: in_a_picture(query)),
    Attack("figstep", "FigStep list", lambda query, _: figstep(query)),
    Attack("speech", "Speech", lambda query, _: spoken(query, _say, LISTEN_PROMPT)),
    Attack("spelled", "Spelled speech", lambda query, _: spelled_out(query, _say)),
    Attack("jailbreak", "Jailbreak template", _framed),
)


def drafted(attack: Attack, query: str, pressed: int, folder: Path) -> Draft:
    """What to send for this attack; its image or clip is a file in a folder of its own below `folder`.

    Raises:
        CasaError: this query cannot be put into that form, or espeak-ng is missing.
    """
    try:
        (message,) = attack.make(query, pressed)
    except CasaError:
        raise
    except ValueError as error:
        raise MessageError(f"no {attack.label.lower()} of this query: {error}") from error
    content = message["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    text = "".join(part["text"] for part in parts if part["type"] == "text")
    return Draft(text, tuple(_file(attack, part, folder) for part in parts if part["type"] != "text"))


def _file(attack: Attack, part: dict[str, Any], folder: Path) -> str:
    path = Path(mkdtemp(dir=folder)) / f"{attack.name}.{'png' if part['type'] == 'image' else 'wav'}"
    if part["type"] == "image":
        part["image"].save(path)
    else:
        import soundfile

        soundfile.write(path, part["audio"], part["sampling_rate"])
    return str(path)
