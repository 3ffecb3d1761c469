"""What transformers decided on fixed prompts travels with an exported checkpoint, and an engine is held against it."""

import math

import pytest

from casa import CasaModel
from casa.errors import CheckpointError
from casa.model.outputs import Verdict
from casa.serving.vllm.export import export
from casa.serving.vllm.reference import FILE, TOLERANCE, Reference, read_references, require_alike


@pytest.fixture
def served(tiny_casa_folder, nano_folder, tmp_path):
    casa = CasaModel.from_pretrained(tiny_casa_folder)
    casa.base_model.config.name_or_path = str(nano_folder)
    return casa, export(casa, tmp_path / "served")


def test_the_references_are_the_models_own_decisions_on_harmless_and_harmful_prompts(served):
    casa, folder = served
    references = read_references(folder)
    texts = [casa.chat.tokenizer.decode(reference.ids) for reference in references]
    assert any("bread" in text for text in texts) and any("bomb" in text for text in texts)
    question = [{"role": "user", "content": "How do I bake bread?"}]
    assert references[0].ids == casa.chat.prompt(question).inputs["input_ids"][0].tolist()
    verdict = casa.classify(question)
    assert (references[0].p_unsafe, references[0].risk) == pytest.approx((verdict.p_unsafe, verdict.risk), abs=1e-5)


@pytest.mark.parametrize("content", [None, "{", '[{"ids": [1]}]'])
def test_a_file_that_is_missing_or_malformed_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / FILE).write_text(content)
    with pytest.raises(CheckpointError, match="export the model again"):
        read_references(tmp_path)


REFERENCE = Reference([1, 2], 0.4, 0.6)


def verdict(p_unsafe=0.4, risk=0.6, failed=False):
    return Verdict("safe", p_unsafe, risk, 0.5, failed)


def test_rounding_is_no_difference():
    require_alike([REFERENCE], [verdict(0.4 + 0.9 * TOLERANCE, 0.6 - 0.9 * TOLERANCE)], TOLERANCE)


@pytest.mark.parametrize(
    "other",
    [
        verdict(p_unsafe=0.4 + 1.1 * TOLERANCE),
        verdict(risk=0.6 - 1.1 * TOLERANCE),
        verdict(risk=math.nan),
        verdict(failed=True),
    ],
)
def test_another_decision_is_refused(other):
    with pytest.raises(CheckpointError, match="otherwise than transformers"):
        require_alike([REFERENCE], [other], TOLERANCE)
