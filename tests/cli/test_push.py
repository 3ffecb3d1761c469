import casa.hub
from casa.errors import CheckpointError

from .conftest import json_lines


def test_options_reach_the_upload(run, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(casa.hub, "push", lambda *args, **options: calls.append((args, options)) or "https://hub/me/x")
    (tmp_path / "r.json").write_text("{}")
    result = run(
        "push", tmp_path, "me/x", "--results", tmp_path / "r.json", "--base-model", "org/base", "--private", "--json"
    )
    assert json_lines(result) == [{"address": "https://hub/me/x"}]
    args, options = calls[0]
    assert args == (tmp_path, "me/x")
    assert options["results"] == [tmp_path / "r.json"] and options["base_model"] == "org/base" and options["private"]


def test_what_goes_wrong_is_one_line(run, tmp_path, monkeypatch):
    def push(*args, **options):
        raise CheckpointError("no CASA model")

    monkeypatch.setattr(casa.hub, "push", push)
    assert run("push", tmp_path, "me/x").exit_code == 3
