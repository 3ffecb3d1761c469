"""Which of the demo's prompts are asked again in pictures and speech."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from casa.data.reading import Split
from casa.evaluation.demo import Asked, DemoPrompt, demo_prompts, in_text
from casa.evaluation.forms import SPOKEN_FORMS, forms_taken
from casa.model.messages import ChatFormat

MEDIA_FORMS = ("picture", "figstep list", "speech", "spelled speech")
_KINDS, _OF_A_KIND = ("malicious", "benign"), 2
_SPLIT: Split = "test"
_SEED = 0
_SHOWN_WITH = ("matplotlib", "soundfile")  # a clip that the report cannot show is not asked


def everything_asked(chat: ChatFormat) -> list[Asked]:
    """All prompts in text, then short ones in every form of `MEDIA_FORMS` that the model takes and this machine can make.

    Raises:
        SpeechError: a synthesizer failed.
    """
    prompts = demo_prompts()
    forms = forms_taken(chat, _showable(), _SPLIT, _SEED)
    media = [Asked(one, name, form(one.text)) for name, form in forms.items() for one in short_prompts(prompts)]
    return [*in_text(prompts), *media]


def short_prompts(prompts: Sequence[DemoPrompt]) -> list[DemoPrompt]:
    """The shortest malicious and benign ones; of equally long ones the first."""
    by_length = sorted(prompts, key=lambda prompt: len(prompt.text))
    return [prompt for kind in _KINDS for prompt in [one for one in by_length if one.kind == kind][:_OF_A_KIND]]


def _showable() -> list[str]:
    with_sound = all(find_spec(module) for module in _SHOWN_WITH)
    return [name for name in MEDIA_FORMS if with_sound or name not in SPOKEN_FORMS]
