"""Runs that differ in a choice are measured with the safety prompt and without it."""

import json
import shutil
import sys

import pytest

from casa.evaluation import kept, nano_ablation
from casa.evaluation.nano_ablation import differing
from casa.evaluation.tables import with_tables
from casa.model.checkpoint import settings_digest


@pytest.fixture
def two_runs(tiny_casa_folder):
    """The same weights with safety attention and without it."""
    other = tiny_casa_folder.with_name("token_only")
    shutil.copytree(tiny_casa_folder, other)
    content = json.loads((other / "casa_config.json").read_text())
    content["casa"]["gate"] = "none"
    content["sha256"]["settings"] = settings_digest({name: content[name] for name in ("base_model", "casa", "tokens")})
    (other / "casa_config.json").write_text(json.dumps(content))
    return tiny_casa_folder, other


def test_two_runs_make_the_papers_four_rows(two_runs, tmp_path, monkeypatch):
    out = tmp_path / "results" / "nano_ablation.json"
    arguments = [*map(str, two_runs), "--limit", "1", "--max-new-tokens", "2", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["x", *arguments, "--work", str(tmp_path / "work")])
    nano_ablation.main()
    with monkeypatch.context() as patched:
        patched.setattr(kept, "outcomes", lambda *_: pytest.fail("what was measured is measured again"))
        nano_ablation.main()
    rows = json.loads(out.read_text())["rows"]
    assert [(row["safety_attention"], row["safety_prompt"]) for row in rows] == [
        (True, False),
        (True, True),
        (False, False),
        (False, True),
    ]
    assert [row["choices"] for row in rows] == [{"gate": "log"}] * 2 + [{"gate": "none"}] * 2
    page = with_tables("<!-- table: nano_ablation -->\n<!-- end -->", out.parent)
    assert "| token_only | no | yes | none |" in page


def test_only_what_differs_is_a_choice():
    runs = {"a": {"pooling": "max", "tau": 1.0, "limit": 5}, "b": {"pooling": "mean", "tau": 1.0}}
    assert differing(runs) == {"a": {"pooling": "max", "limit": 5}, "b": {"pooling": "mean", "limit": None}}
