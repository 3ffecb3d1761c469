"""Suites by name: how much of the benchmarks' mini sets is run, and what is measured beside them."""

from __future__ import annotations

from dataclasses import dataclass

from casa.evaluation.inside import Effort


@dataclass(frozen=True)
class Preset:
    """A suite's size.

    Attributes:
        queries: mini sets are made of at most so many held-out queries of each kind.
        max_tokens: longest answer.
        effort: of what is measured with the weights in hand.
    """

    queries: int
    max_tokens: int
    effort: Effort


# Meant to take casa-nano, without and with CASA, less than half an hour on two cores; docs/evaluation.md says how it was chosen.
OFFLINE = Preset(
    queries=6,
    max_tokens=24,
    effort=Effort(
        states=12,
        lengths={0: 16, 256: 12, 1024: 6, 4096: 2},
        attacked=3,
        steps=6,
        candidates=16,
        pixels=(4, 16),
        waveform=(0.004, 0.016),
        prompts=10,
        max_tokens=24,
    ),
)
PRESETS = {"offline": OFFLINE}
