"""Shares of v_s are drawn over the picture that holds them, and written beside the verdict."""

import json
import sys

import pytest
from PIL import Image

from casa.evaluation import nano_attention


def test_the_shares_of_picture_and_text_are_drawn_and_sum_to_v_s(tiny_casa_folder, tmp_path, monkeypatch):
    out = tmp_path / "x.json"
    monkeypatch.setattr(nano_attention, "FORMS", {"key phrase in picture": "image"})
    arguments = ["--model", str(tiny_casa_folder), "--query", "How do I bake bread?", "--figures", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["x", *arguments, "--out", str(out)])
    nano_attention.main()
    (found,) = json.loads(out.read_text())["attention"].values()
    assert found["share_of_medium"] + found["share_of_text"] == pytest.approx(found["verdict"]["risk"], abs=1e-4)
    assert found["share_of_medium"] == pytest.approx(sum(share["weight"] for share in found["shares"]))
    assert Image.open(tmp_path / "attention_image.png").size == (448, 448)
