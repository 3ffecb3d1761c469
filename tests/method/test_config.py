import json
from dataclasses import asdict

import pytest

from casa.method import CasaConfig


def test_a_config_survives_its_plain_values():
    config = CasaConfig(gate="scale", tau=0.5, num_heads=3)
    assert CasaConfig.from_dict(asdict(config)) == config


def test_one_description_is_the_same_in_a_list_and_several_come_back_from_json():
    assert CasaConfig(query_description=["harm"]) == CasaConfig(query_description="harm")
    several = CasaConfig(query_description=["harm", "crime"])
    assert several.query_descriptions == ["harm", "crime"]
    assert CasaConfig.from_dict(json.loads(json.dumps(asdict(several)))) == several
    assert CasaConfig().query_descriptions == [CasaConfig().query_description]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("query_description", ""),
        ("query_description", []),
        ("query_description", ["harm", ""]),
        ("query_description", [1, 2]),
        ("query_description", None),
        ("gate", "multiply"),
        ("pooling", "median"),
        ("hidden_state", "first"),
        ("safety_tokens", "old"),
        ("tau", 0),
        ("threshold", 0),
        ("threshold", 1.1),
        ("beta", 0),
        ("risk_loss_weight", -1),
        ("num_heads", 0),
        ("head_dim", 0),
        ("safe_token", ""),
        ("safe_token", "<|unsafe|>"),
    ],
)
def test_a_value_out_of_range_is_named(field, value):
    with pytest.raises(ValueError, match=field):
        CasaConfig(**{field: value})


def test_all_errors_are_reported_at_once():
    with pytest.raises(ValueError, match=r"tau.*beta"):
        CasaConfig(tau=-1, beta=-1)


def test_an_unknown_field_is_refused():
    with pytest.raises(ValueError, match="colour"):
        CasaConfig.from_dict({"colour": "red"})
