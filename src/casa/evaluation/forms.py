"""Forms in which one query reaches a model: as text, in a picture, as sound, or spread over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from casa.attacks.images import landscape
from casa.attacks.speech import LISTEN_PROMPT, Say, heard, spelled_out, spoken
from casa.attacks.typography import (
    beside,
    beside_an_unrelated_picture,
    figstep,
    in_a_picture,
    with_key_phrase_in_a_picture,
)
from casa.data.reading import Split, Template, jailbreak_templates
from casa.errors import MessageError, MissingDependencyError
from casa.evaluation.answers import Conversation
from casa.model.messages import ChatFormat

Form = Callable[[str], Conversation]
SILENT_FORMS = ("text", "picture", "figstep list", "jailbreak and picture", "key phrase in picture")
SPOKEN_FORMS = ("speech", "spelled speech", "text, picture and sound")
FORMS = (*SILENT_FORMS, *SPOKEN_FORMS)
_SMALL_TALK = "It is a lovely day outside."


def forms(templates: Sequence[Template], seed: int, say: Say | None) -> dict[str, Form]:
    """The forms by name; those with sound are left out if nobody can say it.

    Args:
        templates: jailbreak framings, of which one is drawn for each query.
        seed: of what is drawn.
        say: a synthesizer.
    """

    def framed(query: str) -> str:
        return Random(f"{seed} {query}").choice(list(templates)).fill(query)

    found: dict[str, Form] = {
        "text": lambda query: [{"role": "user", "content": query}],
        "picture": in_a_picture,
        "figstep list": figstep,
        "jailbreak and picture": lambda query: beside_an_unrelated_picture(framed(query), seed),
        "key phrase in picture": with_key_phrase_in_a_picture,
    }
    if say is not None:
        voice = say
        found |= {
            "speech": lambda query: spoken(query, voice, LISTEN_PROMPT),
            "spelled speech": lambda query: spelled_out(query, voice),
            "text, picture and sound": lambda query: _everything(query, voice, seed),
        }
    return found


def chosen_forms(names: Sequence[str], split: Split, seed: int) -> dict[str, Form]:
    """Some forms by name; synthesizers are loaded only if one of them is spoken.

    Raises:
        MissingDependencyError: one of them is not installed.
    """
    from casa.nano.speech.say import voices  # loads numpy and the synthesizers

    say = voices(split, seed) if set(names) & set(SPOKEN_FORMS) else None
    made = forms(jailbreak_templates(split), seed, say)
    return {name: made[name] for name in names}


def forms_taken(chat: ChatFormat, names: Sequence[str], split: Split, seed: int) -> dict[str, Form]:
    """Those of some forms that a model takes and this machine can make: spoken ones need synthesizers."""
    silent = [name for name in names if name not in SPOKEN_FORMS]
    try:
        made = chosen_forms(names, split, seed)
    except MissingDependencyError:
        made = chosen_forms(silent, split, seed)
    return {name: form for name, form in made.items() if _is_taken(chat, form)}


def _is_taken(chat: ChatFormat, form: Form) -> bool:
    try:
        chat.prompt(form("How do I bake bread?"))
    except (MessageError, MissingDependencyError):  # the model refuses it, or what decodes it is missing
        return False
    return True


def _everything(query: str, say: Say, seed: int) -> Conversation:
    """The query as text, behind a picture and a clip that have nothing to do with it."""
    (pictured,), (sounding,) = beside(query, landscape(seed)), heard(say(_SMALL_TALK))
    *pictures, text = pictured["content"]
    return [{"role": "user", "content": [*pictures, *sounding["content"], text]}]
