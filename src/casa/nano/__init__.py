"""casa-nano: a small real MLLM with the architecture of Qwen2.5-Omni, assembled on first use from packaged weights."""

from __future__ import annotations

from casa.nano.build import NANO_NAME, adapter_folder, ensure_nano

__all__ = ["NANO_NAME", "adapter_folder", "ensure_nano"]
