"""Drift is told from verdicts alone; weights rounded as a GGUF file's are near what they were."""

import json
import sys

import pytest
import torch

from casa import CasaModel
from casa.evaluation import nano_quantized
from casa.evaluation.nano_quantized import REFERENCE, drift, gguf_rounded, layer_types, separation
from casa.evaluation.text_tables import quantized_table
from casa.model.outputs import Verdict
from casa.model.targets import layers_of


def verdict(p, risk=0.5):
    return Verdict("unsafe" if p >= 0.5 else "safe", p, risk, 0.5)


def test_drift_is_agreement_of_labels_and_distance_of_scores():
    found = drift([verdict(0.6, 0.5), verdict(0.2, 0.3)], [verdict(0.4, 0.5), verdict(0.1, 0.5)])
    assert (found["agreement"]["successes"], found["agreement"]["n"]) == (1, 2)
    assert found["p_unsafe_moved_mean"] == pytest.approx(0.15)
    assert found["p_unsafe_moved_most"] == pytest.approx(0.2)
    assert found["v_s_moved_mean"] == pytest.approx(0.1)


def test_separation_is_measured_for_each_contrast():
    kinds = ["malicious", "malicious", "benign", "lookalike", "jailbroken", "framed_benign"]
    areas = separation([verdict(p) for p in (0.9, 0.3, 0.5, 0.1, 0.8, 0.2)], kinds)
    assert areas == {
        "malicious against benign": 0.5,
        "malicious against lookalike": 1.0,
        "jailbroken against framed_benign": 1.0,
    }


@pytest.mark.parametrize(("form", "nearness"), [("Q8_0", 0.02), ("Q4_0", 0.3)])
def test_gguf_rounding_is_coarser_with_fewer_bits(form, nearness):
    weight = torch.randn(8, 64)
    rounded = gguf_rounded(weight, form)
    assert 0 < (rounded - weight).abs().max() < nearness
    torch.testing.assert_close(gguf_rounded(rounded, form), rounded)


def test_forms_are_measured_once_and_missing_packages_are_named(tiny_casa_folder, tmp_path, monkeypatch):
    out = tmp_path / "drift.json"
    arguments = ["nano_quantized", "--model", str(tiny_casa_folder), "--limit", "2", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    chosen = {name: nano_quantized.FORMS[name] for name in (REFERENCE, "GGUF Q4_0")}
    monkeypatch.setattr(nano_quantized, "FORMS", chosen | {"other": ("no_such_package", pytest.fail)})
    nano_quantized.main()
    result = json.loads(out.read_text())
    assert result["left_out"] == {"other": "no_such_package is not installed"}
    assert result["forms"][REFERENCE]["p_unsafe_moved_most"] == 0
    assert result["forms"]["GGUF Q4_0"]["v_s_moved_mean"] > 0
    table = quantized_table(result)
    assert "| float32 | 100.0 (" in table and "| GGUF Q4_0 | " in table and "no_such_package is not installed" in table
    monkeypatch.setattr(nano_quantized, "FORMS", chosen | {"GGUF Q4_0": ("gguf", pytest.fail)})
    nano_quantized.main()


def test_the_adapter_itself_is_not_rounded(tiny_casa_folder):
    def adapters(model):
        return {name: p for name, p in model.named_parameters() if "lora_" in name or "token_adapter" in name}

    casa = CasaModel.from_pretrained(tiny_casa_folder, merge=False, dtype=torch.float32)
    rounded = nano_quantized.FORMS["GGUF Q4_0"][1](str(tiny_casa_folder))
    for name, parameter in adapters(casa.base_model).items():
        assert torch.equal(parameter, dict(rounded.base_model.named_parameters())[name])
    before, after = (layers_of(m.base_model)[0].self_attn.q_proj.base_layer.weight for m in (casa, rounded))
    assert not torch.equal(before, after)
    assert layer_types(rounded.base_model) == ["Parameter float32"]
