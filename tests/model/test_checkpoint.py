"""A saved model comes back the same, or not at all."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from casa import CasaModel
from casa.errors import CheckpointError
from casa.hashing import sha256_of
from casa.model.targets import layers_of
from tiny import make_tiny_base, perturb, user


@pytest.mark.parametrize("merge", [True, False])
def test_a_model_is_the_same_after_saving_and_loading(tiny_casa, tiny_casa_folder, merge):
    perturb(tiny_casa)
    tiny_casa.save_pretrained(tiny_casa_folder)
    loaded = CasaModel.from_pretrained(tiny_casa_folder, merge=merge)
    for text in ("hi", "a longer question about trains"):
        before, after = tiny_casa.classify(user(text)), loaded.classify(user(text))
        assert after.label == before.label
        assert after.p_unsafe == pytest.approx(before.p_unsafe, abs=1e-5)
        assert after.risk == pytest.approx(before.risk, abs=1e-6)
        assert loaded.respond(user(text), 8).text == tiny_casa.respond(user(text), 8).text


def test_the_folder_names_no_path_of_this_machine_but_the_base_models_name(tiny_casa_folder):
    base = json.loads((tiny_casa_folder / "casa_config.json").read_text())["base_model"]["name"]
    assert json.loads((tiny_casa_folder / "adapter_config.json").read_text())["base_model_name_or_path"] == base


def test_only_trained_rows_of_the_embedding_are_saved(tiny_casa_folder):
    weights = load_file(tiny_casa_folder / "adapter_model.safetensors")
    rows = [tensor for name, tensor in weights.items() if "trainable_tokens" in name]
    assert rows and all(tensor.shape[0] == 2 for tensor in rows)
    assert not any("embed_tokens.weight" in name for name in weights)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "safety_attention.safetensors", "adapter_config.json"])
def test_a_missing_file_is_refused(tiny_casa_folder, name):
    (tiny_casa_folder / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        CasaModel.from_pretrained(tiny_casa_folder)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "safety_attention.safetensors", "adapter_config.json"])
def test_a_tampered_file_is_refused(tiny_casa_folder, name):
    path = tiny_casa_folder / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="checksum"):
        CasaModel.from_pretrained(tiny_casa_folder)


def test_a_folder_without_config_is_no_casa_model(tiny_casa_folder):
    (tiny_casa_folder / "casa_config.json").unlink()
    with pytest.raises(CheckpointError, match="no CASA model"):
        CasaModel.from_pretrained(tiny_casa_folder)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"format": 1}'])
def test_a_malformed_config_is_refused(tiny_casa_folder, content):
    (tiny_casa_folder / "casa_config.json").write_text(content)
    with pytest.raises(CheckpointError, match="malformed"):
        CasaModel.from_pretrained(tiny_casa_folder)


def test_an_adapter_of_another_base_model_is_refused(tiny_casa_folder, nano_folder, tmp_path, processor):
    other = tmp_path / "other"
    make_tiny_base(nano_folder, seed=7).save_pretrained(other)
    processor.save_pretrained(other)
    with pytest.raises(CheckpointError, match="other weights"):
        CasaModel.from_pretrained(tiny_casa_folder, base_model=str(other))


def test_a_fine_tuned_variant_of_the_base_model_is_refused(tiny_casa_folder, nano_folder, tmp_path, processor):
    variant = make_tiny_base(nano_folder)
    layers_of(variant)[0].mlp.down_proj.weight.data += 0.01
    variant.save_pretrained(tmp_path / "variant")
    processor.save_pretrained(tmp_path / "variant")
    with pytest.raises(CheckpointError, match="other weights"):
        CasaModel.from_pretrained(tiny_casa_folder, base_model=str(tmp_path / "variant"))


def test_safety_tokens_that_moved_are_refused(tiny_casa_folder):
    config = json.loads((tiny_casa_folder / "casa_config.json").read_text())
    config["tokens"] = {"safe": config["tokens"]["unsafe"], "unsafe": config["tokens"]["safe"]}
    settings = {name: config[name] for name in ("base_model", "casa", "tokens")}
    config["sha256"]["settings"] = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    (tiny_casa_folder / "casa_config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="safety tokens"):
        CasaModel.from_pretrained(tiny_casa_folder)


def test_a_changed_threshold_in_the_saved_config_is_noticed(tiny_casa_folder):
    path = tiny_casa_folder / "casa_config.json"
    path.write_text(path.read_text().replace('"threshold": 0.5', '"threshold": 1.0'))
    with pytest.raises(CheckpointError, match="checksum"):
        CasaModel.from_pretrained(tiny_casa_folder)


def test_an_adapter_that_lacks_a_weight_is_refused(tiny_casa_folder):
    rewrite(tiny_casa_folder, "adapter_model.safetensors", lambda weights: weights.pop(sorted(weights)[0]))
    with pytest.raises(CheckpointError, match="does not fit"):
        CasaModel.from_pretrained(tiny_casa_folder)


def test_what_was_trained_cannot_be_overridden(tiny_casa_folder):
    with pytest.raises(CheckpointError, match="safe_token"):
        CasaModel.from_pretrained(tiny_casa_folder, overrides={"safe_token": "<|im_end|>"})


def rewrite(folder, name, change):
    """Alters a weight file and its recorded checksum, as a broken training run would."""
    weights = load_file(folder / name)
    change(weights)
    save_file(weights, folder / name)
    config = json.loads((folder / "casa_config.json").read_text())
    config["sha256"][name] = sha256_of(folder / name)
    (folder / "casa_config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "safety_attention.safetensors"])
def test_weights_that_are_not_finite_are_refused(tiny_casa_folder, name):
    rewrite(tiny_casa_folder, name, lambda weights: next(iter(weights.values())).view(-1)[0].fill_(float("nan")))
    with pytest.raises(CheckpointError, match="not finite"):
        CasaModel.from_pretrained(tiny_casa_folder)


def test_safety_attention_of_another_shape_is_refused(tiny_casa_folder):
    rewrite(tiny_casa_folder, "safety_attention.safetensors", lambda weights: weights.update(bias=torch.zeros(5)))
    with pytest.raises(CheckpointError, match="does not fit"):
        CasaModel.from_pretrained(tiny_casa_folder)


def test_a_merged_model_says_why_it_cannot_be_saved(tiny_casa_folder, tmp_path):
    with pytest.raises(CheckpointError, match="merge=False"):
        CasaModel.from_pretrained(tiny_casa_folder).save_pretrained(tmp_path / "again")


def test_an_override_changes_one_field(tiny_casa_folder):
    model = CasaModel.from_pretrained(tiny_casa_folder, overrides={"threshold": 1e-6})
    assert model.classify(user("hi")).label == "unsafe"
