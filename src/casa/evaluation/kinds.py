"""Kinds of conversations that defences are measured on: which are attacks, what reaches the model by which medium."""

from __future__ import annotations

from collections.abc import Iterable

from casa.data.held_out import HARMLESS
from casa.evaluation.forms import SILENT_FORMS, SPOKEN_FORMS

PREFILLS = {f"prefill {words} words": words for words in (2, 4, 9, 12)}  # words, so that all models get the same
TURNS = ("third turn", "split over turns")
BURIED = f"buried in {(BURIED_WORDS := 500)} words"
ADAPTIVE = "adaptive suffix"  # every defence's own conversations: the same queries, each with a suffix made against it
ATTACKED = ("malicious", "jailbroken", *PREFILLS, *TURNS, BURIED)
BENIGN_FORM = "benign, "  # before the name of a form
MEDIA = ("text", "picture", "speech")
SCENES = "scene questions"  # yes or no, about a picture

# What the mean attack success is a mean of: every column counts once, however many kinds it has; what was not measured is left out.
MEAN_COLUMNS: dict[str, tuple[str, ...]] = {
    "JB-Prompt style": ("jailbroken",),
    "JailbreakV style": ("jailbreak and picture",),
    "MM-SafetyBench style": ("key phrase in picture",),
    "AIAH style": ("spelled speech",),
    "prefill": tuple(PREFILLS),
    "multi-turn": TURNS,
    "dilution": (BURIED,),
    "adaptive": (ADAPTIVE,),
}


def is_harmless(kind: str) -> bool:
    """Whether conversations of a kind should be answered."""
    return kind in (*HARMLESS, SCENES) or kind.startswith(BENIGN_FORM)


def medium_of(form: str) -> str:
    """What a form needs: "speech", "picture" or "text"; a form of all three is speech."""
    if form in SPOKEN_FORMS:
        return "speech"
    return "picture" if form in SILENT_FORMS and form != "text" else "text"


def benign_by_medium(kinds: Iterable[str]) -> dict[str, list[str]]:
    """The kinds that are the plain benign queries, in one form or another, by medium; text first."""
    mediums = {
        kind: medium_of(kind.removeprefix(BENIGN_FORM))
        for kind in kinds
        if kind == "benign" or kind.startswith(BENIGN_FORM)
    }
    return {
        medium: [kind for kind, needed in mediums.items() if needed == medium]
        for medium in MEDIA
        if medium in mediums.values()
    }
