"""Every family that is tried."""

from __future__ import annotations

from . import gemma, glm, idefics, llava, others, qwen, voxtral

FAMILIES = (
    *qwen.FAMILIES,
    *llava.FAMILIES,
    *gemma.FAMILIES,
    *idefics.FAMILIES,
    *glm.FAMILIES,
    *others.FAMILIES,
    *voxtral.FAMILIES,
)
