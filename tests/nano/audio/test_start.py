"""What training starts from travels in one file."""

import pytest
import torch

from casa.errors import DataError
from casa.nano.audio.start import Start, read_start, write_start
from sines import LABELS


def test_what_is_read_is_what_was_written(tmp_path):
    written = Start({"conv1.bias": torch.tensor([0.5, -2.0])}, torch.ones(5, 3), torch.zeros(3), LABELS)
    write_start(tmp_path / "new" / "start.safetensors", written)
    read = read_start(tmp_path / "new" / "start.safetensors")
    assert read.labels == LABELS
    assert read.encoder.keys() == written.encoder.keys()
    assert torch.equal(read.encoder["conv1.bias"], written.encoder["conv1.bias"])
    assert torch.equal(read.embeddings, written.embeddings)
    assert read.blank.dtype == torch.float32


def test_a_missing_file_is_an_error_that_names_the_command(tmp_path):
    with pytest.raises(DataError, match=r"python -m casa\.nano\.audio\.start"):
        read_start(tmp_path / "start.safetensors")
