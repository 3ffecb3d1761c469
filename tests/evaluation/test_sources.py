"""Names are told apart by what lies behind them, and by its weights."""

import pytest

from casa.errors import CheckpointError
from casa.evaluation import sources
from casa.evaluation.sources import Source, checksums, read_source
from tiny import perturb


def test_a_name_stands_for_casa_for_another_method_or_for_a_base_model(tiny_casa, tiny_casa_folder, guard_folder):
    base = tiny_casa_folder.with_name("base")
    found = {path.name: read_source(str(path)) for path in (tiny_casa_folder, guard_folder, base)}
    assert {name: source.provider for name, source in found.items()} == {
        "casa": "casa",
        "guard": "defence",
        "base": None,
    }
    assert {source.base["name"] for source in found.values()} == {str(base)}
    assert read_source("casa-nano").provider == "casa"


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


def test_another_method_is_told_by_its_own_file(guard_folder, tiny_casa_folder):
    found = checksums(f"defence/{guard_folder}")
    assert found.keys() == {"base", "defence.json"} and found["base"] == checksums(f"casa/{tiny_casa_folder}")["base"]


def test_a_base_model_on_the_hub_is_told_by_its_commit(monkeypatch):
    monkeypatch.setattr(sources, "read_source", lambda _: Source(None, {"name": "some/model", "revision": "abc"}, {}))
    assert checksums("undefended/some/model") == {"base": "abc"}


@pytest.mark.parametrize(("name", "told"), [("", "holds no model"), ("missing", "neither a folder here nor a hub id")])
def test_what_is_no_model_is_refused(tmp_path, name, told):
    with pytest.raises(CheckpointError, match=told):
        read_source(str(tmp_path / name))
