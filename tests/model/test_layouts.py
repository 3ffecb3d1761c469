"""An adapter fits wherever a version of transformers puts the decoder, or is refused."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from casa import CasaConfig, CasaModel
from casa.errors import CheckpointError
from casa.model.checkpoint import load_trained_weights
from layouts import PLACES, move, place_of, renew_checksums
from tiny import make_tiny_base, perturb, user


@pytest.fixture
def trained(tiny_casa, tiny_casa_folder):
    """A folder whose adapter changes something."""
    perturb(tiny_casa)
    tiny_casa.save_pretrained(tiny_casa_folder)
    return tiny_casa_folder


@pytest.fixture
def elsewhere(tiny_base):
    """Where another version has the decoder."""
    return next(place for place in PLACES if place != place_of(tiny_base))


@torch.inference_mode()
def logits(casa):
    return casa.base_model(**casa.chat.prompt(user("hello")).inputs).logits


def change_weights(folder, change):
    weights = load_file(folder / "adapter_model.safetensors")
    save_file(dict(change(*item) for item in weights.items()), folder / "adapter_model.safetensors")
    renew_checksums(folder)


@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_a_saved_adapter_is_the_same_whatever_version_named_it(trained, tiny_base, place, merge):
    before = CasaModel.from_pretrained(trained, merge=merge)
    move(trained, tiny_base, place)
    after = CasaModel.from_pretrained(trained, merge=merge)
    assert torch.equal(logits(after), logits(before))
    assert after.classify(user("hi")) == before.classify(user("hi"))


def test_the_rows_of_an_untied_head_come_along(nano_folder, processor, tmp_path, elsewhere):
    base = make_tiny_base(nano_folder, tie_word_embeddings=False)
    base.lm_head.weight = torch.nn.Parameter(torch.randn_like(base.lm_head.weight))
    base.config.tie_word_embeddings = base.config.text_config.tie_word_embeddings = False
    base.save_pretrained(tmp_path / "base")
    processor.save_pretrained(tmp_path / "base")
    casa = CasaModel.attach(base, processor, CasaConfig(), r=2).eval()
    perturb(casa)
    casa.save_pretrained(tmp_path / "casa")
    move(tmp_path / "casa", casa.base_model, elsewhere)
    loaded = CasaModel.from_pretrained(tmp_path / "casa", base_model=str(tmp_path / "base"), merge=False)
    torch.testing.assert_close(logits(loaded), logits(casa))


def test_it_is_saved_under_the_names_of_the_version_at_hand(trained, tiny_base, elsewhere, tmp_path):
    names = load_file(trained / "adapter_model.safetensors").keys()
    move(trained, tiny_base, elsewhere)
    CasaModel.from_pretrained(trained, merge=False).save_pretrained(tmp_path / "again")
    assert load_file(tmp_path / "again" / "adapter_model.safetensors").keys() == names


def test_training_goes_on_from_it(trained, tiny_base, tiny_casa, elsewhere, nano_folder, processor):
    move(trained, tiny_base, elsewhere)
    fresh = CasaModel.attach(make_tiny_base(nano_folder), processor, CasaConfig(), r=4).eval()
    load_trained_weights(fresh, trained)
    assert torch.equal(logits(fresh), logits(tiny_casa))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("layers.0.", "layers.9."),  # no such layer
        ("layers.0.", "blocks.0."),  # nothing of this name in the decoder
        ("elsewhere.layers.0.", "talker.layers.0."),  # another decoder beside it
    ],
)
@pytest.mark.parametrize("load", ["to answer", "to train on"])
def test_a_name_that_fits_nothing_is_refused(trained, tiny_base, nano_folder, processor, old, new, load):
    move(trained, tiny_base, "elsewhere")
    change_weights(trained, lambda name, tensor: (name.replace(old, new), tensor))
    with pytest.raises(CheckpointError, match="does not fit"):
        if load == "to answer":
            CasaModel.from_pretrained(trained)
        else:
            fresh = CasaModel.attach(make_tiny_base(nano_folder), processor, CasaConfig(), r=4)
            load_trained_weights(fresh, trained)


def test_scales_by_names_are_refused_where_the_names_are_others(trained, tiny_base, elsewhere):
    move(trained, tiny_base, elsewhere)
    config = json.loads((trained / "adapter_config.json").read_text())
    config["alpha_pattern"] = {f"{elsewhere}.layers.0.mlp.up_proj": 1}
    (trained / "adapter_config.json").write_text(json.dumps(config))
    renew_checksums(trained)
    with pytest.raises(CheckpointError, match="alpha_pattern"):
        CasaModel.from_pretrained(trained)
