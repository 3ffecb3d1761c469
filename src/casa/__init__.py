"""CASA: an inner safety decision for multimodal LLMs (conditional decoding with safety attention)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from casa.torchvision_cpu import install_hook

if TYPE_CHECKING:
    from casa.method.config import CasaConfig
    from casa.model.casa_model import CasaModel
    from casa.model.outputs import Response, Verdict

__version__ = "0.1.0"
__all__ = ["CasaConfig", "CasaModel", "Response", "Verdict", "__version__"]

_LAZY = {
    "CasaConfig": "casa.method.config",
    "CasaModel": "casa.model.casa_model",
    "Response": "casa.model.outputs",
    "Verdict": "casa.model.outputs",
}

install_hook()


def __getattr__(name: str) -> Any:
    """Imports the public classes on first use, so that `import casa` stays light."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'casa' has no attribute {name!r}")
