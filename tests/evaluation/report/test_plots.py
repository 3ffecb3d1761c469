"""Figures are valid SVG in both schemes, whatever they are called and however much is missing."""

from xml.etree import ElementTree

import pytest

from casa.evaluation.calibration import calibration
from casa.evaluation.metrics import Rate
from casa.evaluation.report import plots

PLAIN, NANO = "undefended/a", "casa/a"


@pytest.fixture(scope="module")
def drawn():
    half = Rate.of(1, 2)
    return {
        "bars": plots.bars(["x", "y"], {PLAIN: {"x": half}, NANO: {"x": None, "y": half}, "other/b": {}}, "%"),
        "curve": plots.curve({2: {PLAIN: half}, 4: {PLAIN: None, NANO: half}}, [PLAIN, NANO], "words"),
        "verdicts": plots.verdicts({"p": ([0.9], [0.1])}, ([0.9], [0.1]), calibration([0.9, 0.1], [True, False])),
        "no_v_s": plots.verdicts({"p": ([0.9], [0.1])}, None, calibration([0.9, 0.1], [True, False])),
    }


@pytest.mark.parametrize("name", ["bars", "curve", "verdicts", "no_v_s"])
def test_figures_are_svg_in_both_schemes(drawn, name):
    light, dark = drawn[name], plots.dark(drawn[name])
    assert ElementTree.fromstring(light).tag.endswith("svg")
    assert ElementTree.fromstring(dark).tag.endswith("svg")
    assert light != dark and "#5f666d" in light and "#5f666d" not in dark


def test_every_model_is_in_the_legend(drawn):
    assert all(name in drawn["bars"] for name in (PLAIN, NANO, "other/b"))


def test_long_names_keep_their_ends():
    svg = plots.bars(["a" * 100 + "end"], {NANO: {}}, "%")
    assert "a" * 100 not in svg and "aend" in svg
