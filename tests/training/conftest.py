from pathlib import Path

import pytest
from transformers import AutoProcessor

from tiny import make_tiny_base


@pytest.fixture(scope="session")
def tiny_base_folder(nano_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base model on disk, for whole training runs."""
    folder = tmp_path_factory.mktemp("tiny") / "base"
    make_tiny_base(nano_folder).save_pretrained(folder)
    AutoProcessor.from_pretrained(nano_folder).save_pretrained(folder)
    return folder
