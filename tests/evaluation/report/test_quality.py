"""What verdicts are worth is counted once, with intervals."""

import pytest

from casa.evaluation.metrics import auprc, auroc
from casa.evaluation.report.evidence import gather
from casa.evaluation.report.quality import qualities, values
from casa.evaluation.report.runs import run_of

from .logs import NANO, PLAIN, Asked, log


def test_every_estimate_is_that_of_all_items_and_lies_in_an_interval(evidence):
    found = qualities(evidence)
    assert {quality.model for quality in found} == {NANO}
    for quality in found:
        scores = values(quality.harmful, "p_unsafe"), values(quality.harmless, "p_unsafe")
        assert (quality.p_unsafe.value, quality.auprc.value) == pytest.approx((auroc(*scores), auprc(*scores)))
        assert quality.ece.value == pytest.approx(quality.calibration.ece)
        for estimate in (quality.p_unsafe, quality.risk, quality.auprc, quality.ece):
            assert 0 <= estimate.low < estimate.high <= 1


def test_models_without_verdicts_and_items_of_one_kind_have_none():
    logs = log(PLAIN, "xstest", [Asked("a"), Asked("b", False)]), log(NANO, "advbench", [Asked("a", p_unsafe=0.9)])
    assert qualities(gather([run_of(one, f"{i}.eval") for i, one in enumerate(logs)])) == []
