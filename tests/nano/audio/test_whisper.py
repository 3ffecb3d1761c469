"""Whisper's encoder in the stock tower of Qwen2.5-Omni gives Whisper's own output, pooled."""

import struct

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool1d
from transformers import WhisperConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from casa.cache import cache_root
from casa.errors import CheckpointError, MissingDependencyError
from casa.nano.audio.whisper import TINY_EN, encoder_weights, load_whisper, read_ctranslate2
from casa.nano.sources import SPEECH_ENCODER, packaged_file

SMALL = {**TINY_EN, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 48, "d_model": 32}
CODES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}


def write_ctranslate2(path, variables, version=6):
    def string(text):
        return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"

    content = struct.pack("<I", version) + string("WhisperSpec") + struct.pack("<II", 3, len(variables))
    for name, value in variables.items():
        content += string(name) + struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
        content += struct.pack("<BI", CODES[str(value.dtype)], value.nbytes) + value.tobytes()
    path.write_bytes(content + struct.pack("<I", 0))
    return path


def ctranslate2_variables(whisper):
    """A Whisper encoder's weights, named as CTranslate2 names them."""
    found = {}
    for name in ("conv1", "conv2"):
        module = getattr(whisper, name)
        found |= {f"encoder/{name}/weight": module.weight, f"encoder/{name}/bias": module.bias}

    def norm(name, module):
        found.update({f"{name}/gamma": module.weight, f"{name}/beta": module.bias})

    def linear(name, *modules):
        zeros = torch.zeros(modules[0].out_features)
        found[f"{name}/weight"] = torch.cat([module.weight for module in modules])
        found[f"{name}/bias"] = torch.cat([zeros if module.bias is None else module.bias for module in modules])

    for number, layer in enumerate(whisper.layers):
        prefix, attention = f"encoder/layer_{number}", layer.self_attn
        norm(f"{prefix}/self_attention/layer_norm", layer.self_attn_layer_norm)
        linear(f"{prefix}/self_attention/linear_0", attention.q_proj, attention.k_proj, attention.v_proj)
        linear(f"{prefix}/self_attention/linear_1", attention.out_proj)
        norm(f"{prefix}/ffn/layer_norm", layer.final_layer_norm)
        linear(f"{prefix}/ffn/linear_0", layer.fc1)
        linear(f"{prefix}/ffn/linear_1", layer.fc2)
    norm("encoder/layer_norm", whisper.layer_norm)
    return {name: value.detach().numpy() for name, value in found.items()}


def whisper_encoder(shape):
    fields = {name: value for name, value in shape.items() if name != "n_window"}
    torch.manual_seed(3)
    encoder = WhisperEncoder(WhisperConfig(**fields)).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            if parameter.ndim == 1:  # biases and norms are zeros and ones otherwise, which hides mistakes
                parameter.add_(0.1 * torch.randn_like(parameter))
    return encoder


def omni_encoder(shape, output_dim=24):
    encoder = Qwen2_5OmniAudioEncoder(Qwen2_5OmniAudioEncoder.config_class(**shape, output_dim=output_dim))
    return encoder.float().eval()


def assert_same_vectors(omni, whisper):
    mel = torch.randn(80, 3000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        states = []
        whisper.layer_norm.register_forward_pre_hook(lambda module, inputs: states.append(inputs[0]))
        whisper(mel[None])
        pooled = avg_pool1d(states[0].transpose(1, 2), 2).transpose(1, 2)
        expected = omni.proj(whisper.layer_norm.forward(pooled))[0]
        found = omni(mel, feature_lens=torch.tensor([3000])).last_hidden_state
    assert found.shape == expected.shape == (750, omni.proj.out_features)
    assert torch.allclose(found, expected, atol=1e-4), (found - expected).abs().max()


def test_the_stock_tower_equals_whisper_with_pooling_before_the_final_norm(tmp_path):
    whisper, omni = whisper_encoder(SMALL), omni_encoder(SMALL)
    load_whisper(omni, encoder_weights(write_ctranslate2(tmp_path / "model.bin", ctranslate2_variables(whisper))))
    assert_same_vectors(omni, whisper)


def test_the_packaged_file_gives_the_same_in_both_encoders():
    try:
        path = packaged_file(SPEECH_ENCODER, cache_root())
    except MissingDependencyError:
        pytest.skip("the package with Whisper's weights is not installed")
    weights, omni, whisper = encoder_weights(path), omni_encoder(TINY_EN), whisper_encoder(TINY_EN)
    load_whisper(omni, weights)
    renamed = {name.replace("ln_post", "layer_norm"): value for name, value in weights.items()}
    missing, unexpected = whisper.load_state_dict(renamed, strict=False)
    assert (missing, unexpected) == (["embed_positions.weight"], [])
    positions = read_ctranslate2(path)["encoder/position_encodings/encodings"]
    np.testing.assert_allclose(positions, omni.positional_embedding.positional_embedding, atol=1e-3)
    assert_same_vectors(omni, whisper)


def test_variables_are_read_as_they_were_written(tmp_path):
    written = {"a/b": np.arange(6, dtype=np.int16).reshape(2, 3), "c": np.float16([0.5]), "d": np.array(7, np.int8)}
    read = read_ctranslate2(write_ctranslate2(tmp_path / "model.bin", written))
    assert read.keys() == written.keys()
    for name, value in written.items():
        assert read[name].dtype == value.dtype
        np.testing.assert_array_equal(read[name], value)


def test_a_file_that_is_cut_off_is_an_error(tmp_path):
    path = write_ctranslate2(tmp_path / "model.bin", {"a": np.zeros(100, np.float32)})
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_ctranslate2(path)


def test_another_version_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="version 6"):
        read_ctranslate2(write_ctranslate2(tmp_path / "model.bin", {}, version=5))


def test_a_file_without_an_encoder_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="no Whisper encoder"):
        encoder_weights(write_ctranslate2(tmp_path / "model.bin", {"decoder/x": np.zeros(1, np.float32)}))


def test_layers_behind_whispers_own_stay_as_they_are(tmp_path):
    weights = encoder_weights(write_ctranslate2(tmp_path / "m", ctranslate2_variables(whisper_encoder(SMALL))))
    longer = omni_encoder({**SMALL, "encoder_layers": 3})
    before = longer.layers[2].fc1.weight.clone()
    load_whisper(longer, weights)
    assert torch.equal(longer.layers[2].fc1.weight, before)
    assert torch.equal(longer.layers[1].fc1.weight, weights["layers.1.fc1.weight"])


def test_weights_of_another_shape_of_encoder_are_refused(tmp_path):
    weights = encoder_weights(write_ctranslate2(tmp_path / "m", ctranslate2_variables(whisper_encoder(SMALL))))
    with pytest.raises(CheckpointError, match="does not fit"):
        load_whisper(omni_encoder({**SMALL, "encoder_layers": 1}), weights)
