"""An exported checkpoint holds the model that was exported, or it does not come into being."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, Qwen2_5OmniThinkerForConditionalGeneration

from casa import CasaModel
from casa.errors import CheckpointError
from casa.serving.vllm.export import export, verify
from casa.serving.vllm.settings import ServedSettings


@pytest.fixture
def trained(tiny_casa_folder, nano_folder):
    """A loaded CASA model whose base checkpoint is laid out like Qwen2.5-Omni's."""
    casa = CasaModel.from_pretrained(tiny_casa_folder)
    casa.base_model.config.name_or_path = str(nano_folder)
    return casa


@pytest.fixture
def exported(trained, tmp_path):
    return export(trained, tmp_path / "served")


def test_the_config_names_the_architecture_and_the_settings(exported, trained):
    config = json.loads((exported / "config.json").read_text())
    assert config["architectures"] == ["CasaQwen2_5OmniModel"]
    assert config["model_type"] == "qwen2_5_omni"
    assert config["thinker_config"]["text_config"]["hidden_size"] == 32
    settings = ServedSettings.from_hf_config(AutoConfig.from_pretrained(exported))
    assert settings.config == trained.config
    assert settings.tokens == trained.tokens
    assert {*trained.tokens, settings.stop_id, *trained.processor.tokenizer.all_special_ids} <= set(
        settings.control_ids
    )


def test_the_weights_are_the_merged_models_under_the_wholes_names(exported, trained):
    weights = load_file(exported / "model.safetensors")
    assert all(name.startswith("thinker.") for name in weights)
    loaded = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(exported)
    for name, tensor in trained.base_model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    attention = load_file(exported / "safety_attention.safetensors")
    for name, tensor in trained.safety_attention.state_dict().items():
        assert torch.equal(attention[f"safety_attention.{name}"], tensor)


def test_shards_and_safety_attention_are_in_the_index(trained, tmp_path):
    folder = export(trained, tmp_path / "served", max_shard_size="1MB")
    index = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    names = {name: path.name for path in folder.glob("*.safetensors") for name in load_file(path)}
    assert len(set(names.values())) > 2
    assert index == names


def test_the_tokenizer_knows_the_safety_tokens_as_special(exported, trained):
    from transformers import AutoProcessor

    tokenizer = AutoProcessor.from_pretrained(exported).tokenizer
    assert tokenizer.convert_tokens_to_ids(["<|safe|>", "<|unsafe|>"]) == list(trained.tokens)
    assert tokenizer.decode(list(trained.tokens), skip_special_tokens=True) == ""


def test_a_folder_that_exists_is_left_alone(trained, tmp_path):
    (tmp_path / "served").mkdir()
    with pytest.raises(CheckpointError, match="exists already"):
        export(trained, tmp_path / "served")


def test_a_folder_that_cannot_be_made_is_told(trained, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        export(trained, tmp_path / "file" / "served")


def test_an_adapter_that_is_not_merged_is_refused(tiny_casa, tmp_path):
    with pytest.raises(CheckpointError, match="merge=True"):
        export(tiny_casa, tmp_path / "served")


def test_an_interrupted_export_leaves_nothing(trained, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(trained.processor, "save_pretrained", interrupted)
    before = set(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        export(trained, tmp_path / "served")
    assert set(tmp_path.iterdir()) == before


def test_an_intact_checkpoint_passes(exported, trained):
    assert verify(exported).tokens == trained.tokens


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "safety_attention.safetensors", "tokenizer.json"])
def test_an_altered_or_missing_file_is_found(exported, name):
    content = bytearray((exported / name).read_bytes())
    content[-2] ^= 1
    (exported / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        verify(exported)
    (exported / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        verify(exported)


def test_weights_beside_the_exported_ones_are_found(exported):
    save_file({"x": torch.zeros(1)}, exported / "more.safetensors")
    with pytest.raises(CheckpointError, match=r"more\.safetensors"):
        verify(exported)


def test_another_folder_is_no_exported_checkpoint(nano_folder):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        verify(nano_folder)
