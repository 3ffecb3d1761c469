"""Runs that differ in their seed are one method."""

import json

import pytest

from casa.evaluation.paper_tables import seeds_table
from casa.evaluation.seeds import family, over_seeds, partner, seed_of
from evaluation.test_defences import SOURCE, Scripted, figures


@pytest.mark.parametrize(
    ("name", "stem", "seed"),
    [("ssft_s1", "ssft", 1), ("ssft-seed2", "ssft", 2), ("ssft_3", "ssft", 3), ("casa-nano", "casa-nano", None)],
)
def test_the_seed_is_told_from_the_name(name, stem, seed):
    assert (family(name), seed_of(name)) == (stem, seed)


def test_a_run_is_compared_with_the_one_of_its_seed():
    casa = ["casa-nano", "casa_s2", "casa_s0", "casa_s1"]
    assert [partner(name, casa) for name in ("ssft_s1", "ssft_s2", "probe", "ssft_s9")] == [
        "casa_s1",
        "casa_s2",
        "casa_s0",
        "casa_s0",
    ]
    assert partner("probe", ["casa-nano"]) == "casa-nano" and partner("probe", []) is None


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
    assert found["ssft"]["first_token_ms"]["text"]["mean"] == pytest.approx(20)
    assert found["ssft"]["refused"]["lookalike"]["mean"] == 0 and found["ssft"]["rouge_l"]["text"]["mean"] == 1
    assert "flagged_unsafe" not in found["ssft"], "one of the two runs gives no verdicts"
    assert "| ssft | 2 | 50.0 ± 70.7 |  |" in page
    assert seeds_table({**SOURCE, "seeds": {}}).count("|")


def test_distances_to_casa_are_averaged_over_pairs_of_one_seed_only(made):
    worse, perfect = made["pretrained"], made["casa"]
    runs = {f"casa_s{i}": perfect for i in (0, 1)} | {
        f"ssft_s{i}": {**worse, "method": "ssft", "against_casa": {**worse["against_casa"], "run": f"casa_s{i}"}}
        for i in (0, 1)
    }
    found = over_seeds(runs)
    assert found["ssft"]["mean_attack_success_above_casa"]["mean"] == 1.0
    assert "| 100.0 ± 0.0 | 100.0 ± 0.0 |" in seeds_table({**SOURCE, "seeds": found})
    runs["ssft_s1"]["against_casa"]["run"] = "casa_s0"
    assert "mean_attack_success_above_casa" not in over_seeds(runs)["ssft"]


def test_runs_of_different_methods_are_not_averaged(made):
    assert over_seeds({"run_1": made["pretrained"], "run_2": made["casa"]}) == {}
