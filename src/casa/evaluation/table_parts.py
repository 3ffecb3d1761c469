"""What all tables share."""

from __future__ import annotations

from typing import Any

Result = dict[str, Any]

KIND_NAMES = {
    "malicious": "plain malicious",
    "jailbroken": "malicious in an unseen jailbreak framing",
    "benign": "benign",
    "lookalike": "benign look-alike",
    "framed_benign": "benign in the same unseen framings",
}


def percent(rate: dict[str, float]) -> str:
    """A rate with its interval, in per cent."""
    return f"{100 * rate['rate']:.1f} ({100 * rate['low']:.1f}-{100 * rate['high']:.1f})"


def header(*columns: str) -> list[str]:
    """The first two lines of a table."""
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]


def source_line(result: Result, intervals: bool = True) -> str:
    """The command, commit, seed, machine and split behind a table, and that its figures have 95 % intervals."""
    split = f"{result['split']} split, " if "split" in result else ""
    return (
        f"<sub>{split}`{result['command']}`, commit {result['commit'][:10]}, seed {result['seed']}, "
        f"{result['environment']['machine']}{'; 95 % intervals' if intervals else ''}</sub>"
    )
