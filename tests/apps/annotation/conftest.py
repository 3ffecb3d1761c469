"""A study that tests may copy and fill."""

import shutil
from pathlib import Path

import pytest

from .studies import study


@pytest.fixture(scope="session")
def _pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(tmp_path_factory.mktemp("study"), contact="Dr. Example")


@pytest.fixture
def batch(_pristine: Path, tmp_path: Path) -> Path:
    """12 prompts, 2 methods, 3 raters of all answers, one check in ten: nothing rated yet."""
    return Path(shutil.copy(_pristine, tmp_path / "batch.sqlite"))
