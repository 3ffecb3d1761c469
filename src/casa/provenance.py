"""Where a number comes from: command, commit, versions and machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import torch

import casa as package


def environment(device: torch.device) -> dict[str, str]:
    """Machine class and versions."""
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{os.cpu_count()}-core CPU"
    versions = {name: metadata.version(name) for name in ("torch", "transformers", "peft")}
    return {
        "machine": machine,
        "threads": str(torch.get_num_threads()),
        "casa": package.__version__,
        "python": platform.python_version(),
        **versions,
    }


def provenance(device: torch.device, seed: int) -> dict[str, object]:
    """What a results file says of its making, beside its numbers."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    command = f"python -m {spec.name.removesuffix('.__main__')}" if spec else Path(sys.argv[0]).name
    return {
        "command": " ".join([command, *sys.argv[1:]]),
        "commit": _commit(),
        "seed": seed,
        "environment": environment(device),
    }


def _commit() -> str:
    """The checked-out commit; "unknown" outside a checkout."""
    folder = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False).stdout.strip()

    if not git("ls-files", "provenance.py"):  # installed, perhaps inside another project's checkout
        return "unknown"
    return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "--", ".") else "")
