"""A small encoder and clips of sines."""

from pathlib import Path

import pytest

from sines import write_sines, write_sines_start


@pytest.fixture(scope="session")
def start_file(tmp_path_factory) -> Path:
    return write_sines_start(tmp_path_factory.mktemp("start") / "start.safetensors")


@pytest.fixture(scope="session")
def sine_clips(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_sines(folder / "train", 40, seed=0)
    write_sines(folder / "dev", 12, seed=1)
    return folder
