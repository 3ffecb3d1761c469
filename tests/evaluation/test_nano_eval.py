"""Every mini set's rates in one file, with and without CASA."""

import json
import sys

from casa.evaluation import nano_eval
from casa.hashing import sha256_of


def test_the_rates_of_both_models_stand_side_by_side(tiny_casa_folder, tmp_path, monkeypatch):
    out, chosen = tmp_path / "eval.json", ["--benchmark", "xstest", "--queries", "2", "--max-new-tokens", "2"]
    arguments = ["--model", str(tiny_casa_folder), *chosen, "--logs", str(tmp_path / "logs"), "--out", str(out)]
    (tmp_path / "logs" / "measured").mkdir(parents=True)
    own = {"model": str(tiny_casa_folder), "adapter_sha256": sha256_of(tiny_casa_folder / "adapter_model.safetensors")}
    for name, model in (("suffix", own), ("noise", {**own, "model": "another"})):
        (tmp_path / "logs" / "measured" / f"{name}.json").write_text(json.dumps({**model, "steps": 3}))
    monkeypatch.setattr(sys, "argv", ["nano_eval", *arguments])
    nano_eval.main()
    result = json.loads(out.read_text())
    assert {(e["benchmark"], e["attack"], e["harmful"]) for e in result["benchmarks"]} == {
        ("xstest", "all", True),
        ("xstest", "all", False),
    }
    for entry in result["benchmarks"]:
        scored = (entry["before"]["complied"] or {"n": 0})["n"]  # a tiny model may answer with nothing
        assert scored + entry["before"]["unscored"] == entry["after"]["flagged"]["n"] == 2
        assert entry["before"]["flagged"] is None
    assert list(result["inside"]) == ["suffix"] and result["inside"]["suffix"]["steps"] == 3
    assert result["split"] == "test" and result["commit"] and result["adapter_sha256"]
