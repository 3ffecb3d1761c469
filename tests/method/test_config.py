from dataclasses import asdict

import pytest

from casa.method import CasaConfig


def test_a_config_survives_its_plain_values():
    config = CasaConfig(gate="scale", tau=0.5, num_heads=3)
    assert CasaConfig.from_dict(asdict(config)) == config


@pytest.mark.parametrize(
    ("field", "value"),
    [
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
