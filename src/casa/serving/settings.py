"""What the one who starts a server decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RefusalPolicy = Literal["model", "fixed", "verdict"]


@dataclass(frozen=True)
class Settings:
    """Settings of the door, whatever the engine.

    Attributes:
        model: the name that requests ask for.
        api_key: that every request but the health checks must bear; None asks for none.
        refusal: what is answered on the unsafe branch: the model's own refusal, a fixed text, or nothing but the verdict.
        prefill: whether a request may give the beginning of its answer, which is not judged.
        max_new_tokens: longest answer, and the length where a request names none.
        max_requests: conversations that are answered or wait at once; the next gets 429.
        request_timeout_s: seconds after which a request is given up.
        shutdown_timeout_s: seconds that running requests get to finish.
        max_body_mb: largest body of a request, and as much again of media that are fetched for it, in millions of bytes.
        media_domains: hosts that images may be fetched from; none by default.
    """

    model: str
    api_key: str | None = None
    refusal: RefusalPolicy = "model"
    prefill: bool = True
    max_new_tokens: int = 1024
    max_requests: int = 128
    request_timeout_s: float = 120.0
    shutdown_timeout_s: float = 60.0
    max_body_mb: float = 32.0
    media_domains: frozenset[str] = frozenset()
