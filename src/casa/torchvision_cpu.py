"""Lets torchvision's CUDA wheel be imported beside a CPU build of torch.

Importing such a torchvision fails at `torchvision::nms does not exist`, because its compiled operators cannot load, while
the Python transforms, all that the processors of transformers need, would work. The hook declares the two missing
operators (without implementations) just before torchvision is imported, and only if its own operators cannot load.

`python -m casa.torchvision_cpu` writes a `.pth` file into site-packages so that the hook reaches every subprocess.
"""

from __future__ import annotations

import importlib.machinery
import sys
import sysconfig
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_libraries: list[Any] = []  # a torch Library withdraws its operators when it is collected


def operators_can_load(package: Path) -> bool:
    """Whether the compiled operators in torchvision's folder load beside the installed torch."""
    import torch

    for binary in package.glob("_C*.so"):
        try:
            torch.ops.load_library(str(binary))
        except OSError:
            return False
        return True
    return False


def declare_operators(package: Path) -> None:
    """Declares torchvision's operators, unless its own can load or somebody has declared them."""
    import torch

    if _libraries or operators_can_load(package):
        return
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _libraries.append(library)


class _TorchvisionFinder(MetaPathFinder):
    """Finds torchvision as usual, and declares the operators when it is executed (not when somebody only looks)."""

    def find_spec(
        self, fullname: str, path: Any = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "torchvision":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or spec.loader is None:
            return spec
        folder, run = Path(spec.origin).parent, spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            declare_operators(folder)
            run(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install_hook() -> None:
    """Puts the import hook in place, once a process."""
    if "torchvision" in sys.modules or any(isinstance(finder, _TorchvisionFinder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _TorchvisionFinder())


def write_pth() -> Path:
    """Writes the `.pth` file that installs the hook at every start of this environment's Python."""
    target = Path(sysconfig.get_paths()["purelib"]) / "casa_torchvision_cpu.pth"
    target.write_text("import casa.torchvision_cpu; casa.torchvision_cpu.install_hook()\n", encoding="utf-8")
    return target


if __name__ == "__main__":
    print(f"wrote {write_pth()}")
