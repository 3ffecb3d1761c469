"""`casa playground` starts the page in front of a server or of a model of its own."""

import json

import pytest

from casa.evaluation.measurement import model_fields
from casa.serving.background import in_background
from casa.serving.door import Door
from casa.serving.settings import Settings
from serving.scripted import ScriptedEngine
from tiny import user

pytest.importorskip("gradio")


@pytest.fixture
def served(monkeypatch):
    """What would be served: backend, trade-off, reason, host, port; and what the model said meanwhile."""
    from casa.apps.playground import server

    calls = []

    def serve(backend, *rest):
        calls.append((backend, *rest, list(backend.casa(user("Hello")))[-1]))

    monkeypatch.setattr(server, "serve", serve)
    return calls


def test_a_model_gets_a_door_of_its_own_and_its_own_measurement_only(run, served, tiny_casa_folder, tmp_path):
    from apps.playground.samples import measured_file

    path = measured_file(tmp_path)
    options = ("playground", tiny_casa_folder, "--results", path, "--max-new-tokens", 3, "--threshold", 0.3, "--json")
    assert run(*options).exit_code == 0
    sha = model_fields(str(tiny_casa_folder))["adapter_sha256"]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"adapter_sha256": sha}))
    result = run(*options)
    assert '"url": "http://127.0.0.1:7861"' in result.stdout
    (backend, other, reason, *_), (_, measured, *place, said) = served
    assert other is None and "another model" in reason
    assert measured.split == "dev" and place == ["", "127.0.0.1", 7861]
    assert backend.base is not None and backend.threshold == said.verdict.threshold == 0.3


def test_a_server_is_asked_where_it_is(run, served, tmp_path):
    with in_background(Door(ScriptedEngine(), Settings("far", api_key="k"))) as url:
        result = run("playground", "--url", url, "--api-key", "k")
        wrong = run("playground", "--url", url, "--api-key", "x")
    assert result.exit_code == 0 and "far" in result.stdout
    ((backend, measured, reason, *_, said),) = served
    assert said.text == "Hello there" and backend.base is backend.explain is measured is None
    assert "--results" in reason
    assert wrong.exit_code == 3 and "API key" in wrong.stderr


def test_a_server_that_is_not_there_is_one_line(run):
    result = run("playground", "--url", "http://127.0.0.1:9/v1")
    assert result.exit_code == 3 and "casa serve" in result.stderr


@pytest.mark.parametrize("wrong", [("--base-url", "http://x/v1"), ("--url", "http://x/v1", "--threshold", "0.3")])
def test_options_that_do_not_fit_together_are_wrong_usage(run, wrong):
    assert run("playground", *wrong).exit_code == 2
