"""The rates at a threshold are counts of measured scores."""

import json
from pathlib import Path

import pytest

from casa.apps.playground.tradeoff import TradeOff, read_trade_off
from casa.data.held_out import HARMFUL, HARMLESS
from casa.errors import DataError

from .samples import measured_file

NANO = Path(__file__).parents[3] / "results" / "nano_text.json"


def test_a_query_at_the_threshold_is_unsafe():
    measured = TradeOff({"malicious": [0.1, 0.5, 0.5, 0.9]}, "m", "dev", "c")
    assert [measured.called_unsafe("malicious", t).successes for t in (0.05, 0.1, 0.11, 0.5, 0.51, 0.95)] == [
        4,
        4,
        3,
        3,
        1,
        0,
    ]


def test_the_shipped_results_give_at_one_half_what_they_report():
    measured, result = read_trade_off(NANO), json.loads(NANO.read_text())
    for kind in (*HARMFUL, *HARMLESS):
        rate, reported = measured.called_unsafe(kind, 0.5), result["flagged_unsafe"][kind]
        assert (rate.successes, rate.n) == (reported["successes"], reported["n"])


def test_scores_of_another_model_are_not_shown(tmp_path):
    path = measured_file(tmp_path)
    assert read_trade_off(path, "abc").split == "dev"
    with pytest.raises(DataError, match="another model"):
        read_trade_off(path, "abd")


@pytest.mark.parametrize("change", [{"scores": None}, {"adapter_sha256": None, "scores": {}}])
def test_a_file_without_scores_is_told(tmp_path, change):
    path = measured_file(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match="no scores"):
        read_trade_off(path)


def test_no_file_is_told(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_trade_off(tmp_path / "gone.json")
