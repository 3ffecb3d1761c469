"""What config.json says of CASA comes back the same, or is refused."""

import json

import pytest
import torch

from casa.errors import CheckpointError
from casa.serving.vllm.settings import ServedSettings, weights_digest

from .parts import served


def test_settings_come_back_from_json():
    settings = served(gate="scale", threshold=0.3, tau=2.0, query_description=["harm", "crime"])
    assert ServedSettings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings


@pytest.mark.parametrize(
    ("choices", "named"),
    [
        ({"pooling": "mean"}, "mean"),
        ({"pooling": "max"}, "max"),
        ({"hidden_state": "pre_norm"}, "pre_norm"),
        ({"safety_tokens": "existing"}, "words"),
    ],
)
def test_what_vllm_cannot_compute_is_refused(choices, named):
    with pytest.raises(CheckpointError, match=named):
        served(**choices)


def test_all_reasons_are_told_at_once():
    with pytest.raises(CheckpointError, match=r"pooling.*pre_norm.*safety_prompt"):
        served(pooling="max", hidden_state="pre_norm", safety_prompt="Judge first.")


@pytest.mark.parametrize("content", [None, {}, {"format": 1}, {"format": 1, "sha256": ""}, [1], "casa"])
def test_missing_or_malformed_settings_are_refused(content):
    with pytest.raises(CheckpointError):
        ServedSettings.from_dict(content)


def test_altered_settings_are_refused():
    content = served().as_dict()
    content["config"]["threshold"] = 1.0
    with pytest.raises(CheckpointError, match="not as it was exported"):
        ServedSettings.from_dict(content)


def test_another_format_is_refused():
    with pytest.raises(CheckpointError, match="format 1"):
        ServedSettings.from_dict({**served().as_dict(), "format": 1})


def test_the_digest_knows_values_shapes_and_names_but_not_storage():
    state = {"a": torch.arange(6.0), "b": torch.ones(2)}
    digest = weights_digest(state)
    assert weights_digest({"b": torch.ones(2, dtype=torch.bfloat16), "a": torch.arange(6.0)}) == digest
    assert weights_digest({**state, "a": torch.arange(6.0).view(2, 3)}) != digest
    assert weights_digest({**state, "b": torch.tensor([1.0, 1.0001])}) != digest
    assert weights_digest({"a": state["a"], "c": state["b"]}) != digest
