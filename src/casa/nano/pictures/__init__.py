"""Training pictures for casa-nano's vision tower, made on the fly: rendered text with labels, and simple scenes.

Everything is drawn from a seeded generator; the same seed and the same fonts give the same pictures.
"""

from __future__ import annotations

from casa.nano.pictures.corpus import read_corpus, sample_text
from casa.nano.pictures.fonts import families_of
from casa.nano.pictures.lists import sample_list
from casa.nano.pictures.questions import questions
from casa.nano.pictures.scenes import draw_scene, sample_scene
from casa.nano.pictures.styles import Style, sample_style, strip_style
from casa.nano.pictures.text import RenderedText, Word, fit_text, render_strip, render_text

__all__ = [
    "RenderedText",
    "Style",
    "Word",
    "draw_scene",
    "families_of",
    "fit_text",
    "questions",
    "read_corpus",
    "render_strip",
    "render_text",
    "sample_list",
    "sample_scene",
    "sample_style",
    "sample_text",
    "strip_style",
]
