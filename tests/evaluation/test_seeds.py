"""Runs that differ in their seed are one method."""

import json

import pytest

from casa.evaluation.paper_tables import seeds_table
from casa.evaluation.seeds import family, over_seeds
from evaluation.test_defences import SOURCE, Scripted, figures


@pytest.mark.parametrize(
    ("name", "stem"), [("ssft_s1", "ssft"), ("ssft-seed2", "ssft"), ("ssft_3", "ssft"), ("casa-nano", "casa-nano")]
)
def test_the_seed_is_left_off_the_name(name, stem):
    assert family(name) == stem


@pytest.fixture(scope="module")
def made():
    """Figures of a model that refuses nothing and of one that refuses what it should."""
    return figures(pretrained=Scripted(lambda chat: False, verdicts=False), casa=Scripted())


def test_mean_and_spread_are_over_the_runs_of_one_family(made):
    refuser, perfect = made["pretrained"] | {"method": "ssft"}, made["casa"] | {"method": "ssft"}
    found = over_seeds({"pretrained": made["pretrained"], "ssft_s0": refuser, "ssft_s1": perfect, "probe_s0": perfect})
    assert list(found) == ["ssft"] and found["ssft"]["runs"] == ["ssft_s0", "ssft_s1"]
    assert found["ssft"]["attack_success"]["malicious"]["mean"] == 0.5
    assert found["ssft"]["mean_attack_success"] == pytest.approx({"mean": 0.5, "sd": 0.5**0.5, "low": 0, "high": 1})
    json.dumps(found, allow_nan=False)
    page = seeds_table({**SOURCE, "seeds": found})
    assert "| ssft | 2 | 50.0 ± 70.7 |" in page
    assert seeds_table({**SOURCE, "seeds": {}}).count("|")


def test_runs_of_different_methods_are_not_averaged(made):
    assert over_seeds({"run_1": made["pretrained"], "run_2": made["casa"]}) == {}
