"""What is measured is kept, kind by kind, so that a long measurement goes on where it stopped.

Answers to harmful requests are not kept: they are judged by the rules, and forgotten.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from casa.baselines.folder import DEFENCE_FILE
from casa.baselines.interface import Defence
from casa.evaluation import compliance
from casa.evaluation.answers import Conversation
from casa.evaluation.defences import Outcome, outcomes
from casa.hashing import sha256_of
from casa.model import refusal
from casa.model.checkpoint import CONFIG_FILE, resolve


def kept(path: Path, claim: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a file holds of the same claim; else what is measured now, written there.

    Args:
        path: the file.
        claim: what the measurement depends on.
        measure: makes it.
    """
    if path.is_file():
        earlier: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if earlier["claim"] == claim:
            return earlier
    result = {"claim": claim, **measure()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.replace(path)
    return result


def kept_outcome(path: Path, claim: dict[str, Any], measure: Callable[[], Outcome]) -> Outcome:
    """The same of what a defence does; it depends on the rules that tell refusals and language too."""
    result = kept(path, {**claim, "rules_sha256": rules_sha256()}, lambda: {"outcome": asdict(measure())})
    return Outcome(**result["outcome"])


def kept_outcomes(
    folder: Path,
    claim: dict[str, Any],
    load: Callable[[], Defence],
    conversations: dict[str, list[Conversation]],
    max_new_tokens: int,
    batch_size: int,
) -> dict[str, Outcome]:
    """What a defence does with conversations, by kind; those that are in the folder already are not asked again.

    Args:
        folder: holds a file a kind.
        claim: what names the defence.
        load: gives it, if there is something to ask.
        conversations: by kind.
        max_new_tokens: longest answer.
        batch_size: conversations at a time.
    """

    def of_kind(kind: str, chats: list[Conversation]) -> Outcome:
        path = folder / f"{re.sub(r'[^a-z0-9]+', '_', kind)}.json"
        asked = {**claim, "max_new_tokens": max_new_tokens, "conversations": digest(chats)}
        return kept_outcome(path, asked, lambda: outcomes(load(), {kind: chats}, max_new_tokens, batch_size)[kind])

    return {kind: of_kind(kind, chats) for kind, chats in conversations.items()}


def digest(asked: Any) -> str:
    """SHA-256 of what is asked, pictures and sound included."""

    def of_medium(medium: Any) -> str:
        return hashlib.sha256(medium.tobytes()).hexdigest()

    return hashlib.sha256(json.dumps(asked, default=of_medium).encode()).hexdigest()


def rules_sha256() -> str:
    """Of the rules that tell refusals and language."""
    return hashlib.sha256(
        b"".join(Path(str(rules.__file__)).read_bytes() for rules in (refusal, compliance))
    ).hexdigest()


def config_sha256(source: str) -> str:
    """Of the file that holds checksums of everything else in a defence's folder."""
    folder = resolve(source)
    casa = folder / CONFIG_FILE
    return sha256_of(casa if casa.is_file() else folder / DEFENCE_FILE)
