"""Every mini set's rates in one file, with and without CASA."""

import json
import sys

from casa.evaluation import nano_eval
from casa.evaluation.report.evidence import gather
from casa.evaluation.report.runs import run_of
from casa.hashing import sha256_of

from .report.logs import NANO, PLAIN, Asked, log


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
    assert {q["items"] for q in result["verdicts"]} == {"text, all benchmarks", "xstest (mini)"}
    assert result["mme"] == [] and {"compared", "problems"} <= result.keys()
    assert list(result["inside"]) == ["suffix"] and result["inside"]["suffix"]["steps"] == 3
    assert result["split"] == "test" and result["commit"] and result["adapter_sha256"]


def test_the_file_holds_the_evidence_of_the_report():
    asked = [Asked("a"), Asked("b"), Asked("c", harmful=False), Asked("d", harmful=False)]
    judged = [
        Asked("a", complied=False, p_unsafe=0.9),
        Asked("b", p_unsafe=0.3),
        Asked("c", harmful=False, complied=False, p_unsafe=0.4),
        Asked("d", harmful=False, p_unsafe=0.1),
    ]
    questions = [Asked(f"color/a/{n}", harmful=False, scores=(("right", n),)) for n in (0, 1)]
    logs = log(PLAIN, "xstest", asked), log(NANO, "xstest", judged), log(NANO, "mme", questions)
    found = nano_eval.figures(gather([run_of(one, f"{i}.eval") for i, one in enumerate(logs)]), "casa-nano", NANO)

    by_kind = {(one["benchmark"], one["harmful"]): one for one in found["compared"]}
    attack, benign = by_kind["xstest (mini)", True], by_kind["xstest (mini)", False]
    assert (attack["before"]["rate"], attack["after"]["rate"], attack["reduction"]) == (1.0, 0.5, 0.5)
    assert (benign["before"]["rate"], benign["after"]["rate"]) == (0.0, 0.5)
    assert attack["paired"] == {"only_first": 1, "only_second": 0, "p": 1.0}
    (verdict,) = (one for one in found["verdicts"] if one["items"] == "xstest (mini)")
    assert verdict["auroc_p_unsafe"]["value"] == 0.75 and (verdict["harmful"], verdict["harmless"]) == (2, 2)
    for name in ("auroc_v_s", "auprc", "ece"):
        assert verdict[name]["low"] <= verdict[name]["high"]
    (mme,) = found["mme"]
    assert (mme["right"]["successes"], mme["right"]["n"], mme["score"]["tasks"]) == (1, 2, {"color": 50.0})
    assert json.loads(json.dumps(found)) == found
