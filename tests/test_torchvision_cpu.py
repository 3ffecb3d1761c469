"""The hook acts only where torchvision's own operators cannot load, and then in every process."""

import subprocess
import sys

import pytest

from casa import torchvision_cpu


def run(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return result.stdout.strip()


def test_torchvision_can_be_imported_in_a_bare_process():
    assert run("import torchvision.transforms.v2; print('fine')") == "fine"


def test_looking_for_torchvision_first_does_not_use_the_hook_up():
    code = "import importlib.util as u; u.find_spec('torchvision'); import torchvision; print('fine')"
    assert run(f"import casa; {code}") == "fine"


def test_nothing_is_declared_where_the_operators_load(monkeypatch, tmp_path):
    monkeypatch.setattr(torchvision_cpu, "_libraries", [])
    monkeypatch.setattr(torchvision_cpu, "operators_can_load", lambda package: True)
    torchvision_cpu.declare_operators(tmp_path)
    assert torchvision_cpu._libraries == []


def test_operators_that_are_missing_or_broken_cannot_load(tmp_path):
    assert not torchvision_cpu.operators_can_load(tmp_path)
    (tmp_path / "_C.so").write_bytes(b"no library")
    assert not torchvision_cpu.operators_can_load(tmp_path)


def test_importing_casa_is_light():
    heavy = ("torch", "transformers", "peft", "torchvision")
    loaded = run(f"import sys, casa; print([name for name in {heavy} if name in sys.modules])")
    assert loaded == "[]"


@pytest.mark.parametrize("name", ["CasaConfig", "CasaModel", "Response", "Verdict"])
def test_the_public_names_are_there(name):
    import casa

    assert getattr(casa, name).__name__ == name
