"""The table is measured kind by kind; what is measured is not measured again."""

import json
import sys
from pathlib import Path

import pytest

from casa.baselines.folder import Saved, write_defence
from casa.errors import CasaError
from casa.evaluation import kept, nano_paper_table
from casa.evaluation.kinds import ADAPTIVE, ATTACKED, HARMLESS
from casa.evaluation.nano_paper_table import methods_by_name
from casa.evaluation.paper_tables import paper_table
from casa.evaluation.tables import with_tables
from casa.model.checkpoint import read_config


@pytest.fixture
def pretrained(tiny_casa_folder, tmp_path) -> Path:
    folder = tmp_path / "base_alone"
    folder.mkdir()
    write_defence(folder, Saved("pretrained", read_config(tiny_casa_folder)["base_model"]))
    return folder


def run(monkeypatch, tmp_path, *models, more=()) -> dict:
    out = tmp_path / "results" / "nano_paper_table.json"
    arguments = [
        *map(str, models),
        "--limit",
        "2",
        "--max-new-tokens",
        "3",
        "--latency-prompts",
        "2",
        "--out",
        str(out),
        *more,
    ]
    monkeypatch.setattr(sys, "argv", ["x", *arguments, "--work", str(tmp_path / "work")])
    nano_paper_table.main()
    return json.loads(out.read_text())


def test_defences_are_measured_once_each_and_compared(pretrained, tiny_casa_folder, tmp_path, monkeypatch):
    loaded = []
    load = nano_paper_table.load_defence
    monkeypatch.setattr(
        nano_paper_table, "load_defence", lambda source: loaded.append(Path(source).name) or load(source)
    )

    asked, measure = [], kept.outcomes

    def interrupted(defence, conversations, *arguments):
        asked.append(next(iter(conversations)))
        if asked.count("third turn") == 2:
            raise KeyboardInterrupt
        return measure(defence, conversations, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(kept, "outcomes", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(monkeypatch, tmp_path, pretrained, tiny_casa_folder)
    begun, before = asked.copy(), asked.index("third turn", asked.index("third turn") + 1)
    asked.clear()
    monkeypatch.setattr(kept, "outcomes", lambda *a: asked.append(next(iter(a[1]))) or measure(*a))
    result = run(monkeypatch, tmp_path, pretrained, tiny_casa_folder)

    assert loaded == ["base_alone", "casa", "casa"], "the first was finished before the interruption"
    assert len(begun) == before + 1 and sorted(begun[:before] + asked) == sorted([*ATTACKED, *HARMLESS] * 2)
    assert [found["method"] for found in result["defences"].values()] == ["pretrained", "casa"]
    assert result["defences"]["base_alone"]["utility"]["kinds"]["benign"]["exact"]["rate"] == 1.0
    assert result["defences"]["base_alone"]["against_casa"]["refused"]["malicious"]["p"] <= 1
    assert result["defences"]["base_alone"]["against_casa"]["run"] == "casa"
    assert result["mean_columns"] == ["JB-Prompt style", "prefill", "multi-turn", "dilution"]
    assert {"commit", "command", "seed", "split", "environment"} <= set(result)
    files = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "work" / "casa").glob("*.json")}
    assert len(files["benign"]["outcome"]["answers"]) == 2
    assert files["malicious"]["outcome"]["answers"] is files["third_turn"]["outcome"]["answers"] is None
    page = with_tables(
        "<!-- table: nano_paper_table -->\n<!-- end -->\n<!-- table: nano_paper_paired -->\n<!-- end -->",
        tmp_path / "results",
    )
    assert "| base_alone | `pretrained` |" in page and "| base_alone |" in page.split("nano_paper_paired")[1]


def test_every_defence_gets_suffixes_of_its_own_for_the_same_queries(
    pretrained, tiny_casa_folder, tmp_path, monkeypatch
):
    run(monkeypatch, tmp_path, pretrained, tiny_casa_folder)
    loaded = []
    load = nano_paper_table.load_defence
    monkeypatch.setattr(
        nano_paper_table, "load_defence", lambda source: loaded.append(Path(source).name) or load(source)
    )
    more = ("--adaptive", "1", "--adaptive-steps", "1", "--adaptive-candidates", "4")
    result = run(monkeypatch, tmp_path, pretrained, tiny_casa_folder, more=more)
    assert loaded == ["base_alone", "casa"], "what was measured before is measured no more"
    for found in result["defences"].values():
        assert found["attack_success"][ADAPTIVE]["n"] == 1
    assert ADAPTIVE in result["defences"]["base_alone"]["against_casa"]["refused"]
    assert result["mean_columns"][-1] == "adaptive"
    assert result["adaptive"] == result["adaptive_steps"] == 1 and result["adaptive_candidates"] == 4
    assert f"{ADAPTIVE}: success %" in paper_table(result)
    assert run(monkeypatch, tmp_path, pretrained, tiny_casa_folder, more=more)["defences"] == result["defences"]
    assert loaded == ["base_alone", "casa"]


def test_what_was_measured_otherwise_is_measured_again(pretrained, tiny_casa_folder, tmp_path, monkeypatch):
    first = run(monkeypatch, tmp_path, pretrained)
    write_defence(pretrained, Saved("pretrained", read_config(tiny_casa_folder)["base_model"], "Be brief."))
    second = run(monkeypatch, tmp_path, pretrained)
    checksums = [found["defences"]["base_alone"]["config_sha256"] for found in (first, second)]
    assert checksums[0] != checksums[1]


def test_the_undefended_model_must_be_among_them_and_names_must_differ(pretrained, tiny_casa_folder):
    with pytest.raises(CasaError, match="--method pretrained"):
        methods_by_name([str(tiny_casa_folder)])
    with pytest.raises(CasaError, match="one name"):
        methods_by_name([str(pretrained), str(pretrained)])
