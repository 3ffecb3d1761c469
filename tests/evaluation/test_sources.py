"""The weights behind a model's name are told from others of the same name."""

import pytest

from casa.errors import CheckpointError
from casa.evaluation.sources import checksums
from tiny import perturb


def test_an_adapter_is_told_by_its_files_and_its_base_model_by_its_own(tiny_casa, tiny_casa_folder):
    name = str(tiny_casa_folder)
    first, base = checksums(f"casa/{name}"), checksums(f"undefended/{name}")
    assert base == {"base": first["base"]}
    assert {"adapter_model.safetensors", "safety_attention.safetensors", "settings"} <= first.keys()
    perturb(tiny_casa)
    tiny_casa.save_pretrained(tiny_casa_folder)
    assert checksums(f"undefended/{name}") == base
    assert checksums(f"casa/{name}")["adapter_model.safetensors"] != first["adapter_model.safetensors"]
    (tiny_casa_folder.with_name("base") / "README.md").write_text("of no weight")
    assert checksums(f"undefended/{name}") == base
    with (tiny_casa_folder.with_name("base") / "config.json").open("a") as file:
        file.write("\n")
    assert checksums(f"undefended/{name}") != base


def test_a_name_of_no_model_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no CASA model"):
        checksums(f"casa/{tmp_path}")
