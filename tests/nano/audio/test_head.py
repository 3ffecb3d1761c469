"""The tower's two halves in padded batches equal the stock tower, before and after training."""

import pytest
import torch
from safetensors.torch import load_file

from casa.errors import CheckpointError
from casa.nano.audio.head import (
    LowerEncoder,
    UpperEncoder,
    frames_of,
    load_encoder,
    load_tower,
    load_upper,
    save_tower,
    trained_layers,
    vectors_of,
)
from sines import SHAPE, WIDTH, stock_encoder

LENGTHS = torch.tensor([401, 402, 403, 404, 57])


def mels():
    mel = torch.randn(len(LENGTHS), 80, int(LENGTHS.max()), generator=torch.Generator().manual_seed(2))
    return mel * (torch.arange(mel.shape[2]) < LENGTHS[:, None])[:, None]


def halves(layers, weights):
    lower = LowerEncoder(SHAPE, SHAPE["encoder_layers"] - layers).eval()
    upper = UpperEncoder(SHAPE, layers, WIDTH).eval()
    load_encoder(lower, weights)
    load_encoder(upper, weights)
    return lower, upper


def stock_vectors(encoder, mel):
    packed = torch.cat([row[:, :length] for row, length in zip(mel, LENGTHS.tolist(), strict=True)], dim=1)
    return encoder(packed, feature_lens=LENGTHS).last_hidden_state


@pytest.mark.parametrize("layers", [0, 1, 3])
@torch.inference_mode()
def test_both_halves_together_equal_the_stock_tower(layers):
    stock, mel = stock_encoder(), mels()
    lower, upper = halves(layers, stock.state_dict())
    vectors = upper(lower(mel, LENGTHS), frames_of(LENGTHS))
    counts = vectors_of(frames_of(LENGTHS)).tolist()
    found = torch.cat([row[:count] for row, count in zip(vectors, counts, strict=True)])
    assert torch.allclose(found, stock_vectors(stock, mel), atol=1e-5)


@torch.inference_mode()
def test_what_was_trained_goes_into_a_stock_tower(tmp_path):
    stock, mel = stock_encoder(), mels()
    weights = stock.state_dict()
    lower, upper = halves(2, weights)
    for parameter in upper.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter)).copy_(parameter.bfloat16())
    blank = torch.randn(WIDTH).bfloat16().float()
    save_tower(tmp_path, upper, blank, torch.zeros(()))
    assert torch.equal(load_tower(stock, tmp_path / "tower.safetensors"), blank)
    vectors = upper(lower(mel, LENGTHS), frames_of(LENGTHS))
    found = torch.cat([r[:n] for r, n in zip(vectors, vectors_of(frames_of(LENGTHS)).tolist(), strict=True)])
    assert torch.allclose(found, stock_vectors(stock, mel), atol=1e-5)


@torch.inference_mode()
def test_added_layers_pass_their_input_on_until_they_are_trained():
    stock, mel = stock_encoder(), mels()
    lower, upper = halves(1, stock.state_dict())
    longer = UpperEncoder(SHAPE, 1, WIDTH, added=2).eval()
    load_encoder(longer, stock.state_dict())
    states = lower(mel, LENGTHS)
    assert torch.allclose(longer(states, frames_of(LENGTHS)), upper(states, frames_of(LENGTHS)), atol=1e-5)


@torch.inference_mode()
def test_a_tower_with_added_layers_is_a_longer_stock_tower(tmp_path):
    stock, mel = stock_encoder(), mels()
    lower, upper = halves(2, stock.state_dict())
    longer = UpperEncoder(SHAPE, 2, WIDTH, added=1).eval()
    load_upper(longer, upper.state_dict())
    for parameter in longer.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter)).copy_(parameter.bfloat16())
    save_tower(tmp_path, longer, torch.zeros(WIDTH), torch.zeros(()))
    assert trained_layers(load_file(tmp_path / "tower.safetensors"), SHAPE["encoder_layers"]) == range(1, 4)
    found = stock_encoder(added=1)
    found.load_state_dict(stock.state_dict(), strict=False)
    load_tower(found, tmp_path / "tower.safetensors")
    vectors = longer(lower(mel, LENGTHS), frames_of(LENGTHS))
    rows = [row[:n] for row, n in zip(vectors, vectors_of(frames_of(LENGTHS)).tolist(), strict=True)]
    assert torch.allclose(torch.cat(rows), stock_vectors(found, mel), atol=1e-5)


@pytest.mark.parametrize(("names", "layers"), [([], range(3, 3)), (["layers.2.fc1.bias"], range(2, 3))])
def test_a_tower_without_added_layers_ends_where_the_encoder_does(names, layers):
    assert trained_layers(names, 3) == layers


def test_a_tower_of_another_shape_is_refused(tmp_path):
    save_tower(tmp_path, UpperEncoder({**SHAPE, "encoder_layers": 5}, 2, WIDTH), torch.zeros(WIDTH), torch.zeros(()))
    with pytest.raises(CheckpointError, match="does not fit"):
        load_tower(stock_encoder(), tmp_path / "tower.safetensors")


def test_weights_that_lack_a_layer_are_refused():
    weights = {
        name: value for name, value in stock_encoder().state_dict().items() if not name.startswith("layers.2.fc1")
    }
    with pytest.raises(CheckpointError, match=r"layers\.2\.fc1"):
        load_encoder(UpperEncoder(SHAPE, 1, WIDTH), weights)
