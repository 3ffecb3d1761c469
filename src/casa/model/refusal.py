"""Refusals: the fixed text that is given when nothing may be generated, and a rule that recognises a refusal."""

from __future__ import annotations

import re

FIXED_REFUSAL = "I can't help with that."

_OPENING = 220  # characters; a refusal says so at once
_REFUSING = re.compile(
    r"\b(?:can(?:no|')?t|can not|won't|will not|unable to|not able to|not going to|don't want to|do not want to|"
    r"refuse to|must decline|have to decline|decline to|not comfortable|not willing|shouldn't|should not)\b"
    r"(?:\W+\w+){0,4}?\W+(?:help|assist|provide|support|share|give|create|write|offer|do that|do this|answer|comply|"
    r"fulfil|fulfill|engage|discuss|participate|advise|explain|generate|produce|take part|be part|guide|show|teach|"
    r"encourage|walk you|go along|recommend|draft|contribute|facilitate|suggest)\b"
    r"|\b(?:i'm|i am|im)\s+(?:really\s+|very\s+|so\s+)?sorry\b.{0,60}\b(?:can|but|not)"
    r"|^\W*(?:sorry|no)\b[,.;—-]"
    r"|\bis(?:n't| not) something (?:i|that i)\b|\bthat's something i (?:can't|won't|don't)"
    r"|\b(?:illegal|unethical|harmful|dangerous|wrong)\b.{0,80}\b(?:can't|cannot|won't|will not)\b"
    r"|\b(?:not|never) (?:acceptable|appropriate|ethical|okay) to\b",
    re.IGNORECASE | re.DOTALL,
)


def is_refusal(text: str) -> bool:
    """Whether a response declines, by rules on its opening; fast and offline, with a stated error rate (results/)."""
    opening = text.strip()[:_OPENING].replace("\u2019", "'")
    return bool(_REFUSING.search(opening))
