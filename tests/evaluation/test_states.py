"""Planes of hidden states, by kind and by form."""

import json
import sys

import numpy as np

from casa.evaluation import nano_modalities
from casa.evaluation.states import plane_of


def test_the_plane_separates_what_lies_apart():
    states = np.random.default_rng(0).normal(0, 0.1, (8, 6))
    states[:4, 0] += 5
    plane = plane_of(states, ["a"] * 4 + ["b"] * 4)
    first = {kind: np.array(points)[:, 0] for kind, points in plane["points"].items()}
    assert abs(first["a"].mean() - first["b"].mean()) > 4
    assert plane["explained"][0] > 0.9


def test_states_are_taken_from_text_pictures_and_speech(tiny_casa_folder, tmp_path, monkeypatch):
    out = tmp_path / "x.json"
    monkeypatch.setattr(
        sys,
        "argv",
        ["x", "--model", str(tiny_casa_folder), "--limit", "2", "--forms", "text", "picture", "--out", str(out)],
    )
    nano_modalities.main()
    found = json.loads(out.read_text())["modalities"]
    assert list(found) == ["text", "picture"]
    for planes in found.values():
        assert list(planes) == ["without CASA", "with CASA"]
        assert all(len(planes["with CASA"]["points"][kind]) == 2 for kind in ("malicious", "benign"))
    assert found["text"]["without CASA"] != found["picture"]["without CASA"]


def test_forms_that_the_model_does_not_take_are_left_out(tiny_casa_folder, tmp_path, monkeypatch):
    path, out = tiny_casa_folder.parent / "base" / "config.json", tmp_path / "x.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "untrained_media": ["image"]}))
    arguments = ["--limit", "1", "--forms", "text", "picture", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["x", "--model", str(tiny_casa_folder), *arguments])
    nano_modalities.main()
    assert list(json.loads(out.read_text())["modalities"]) == ["text"]
