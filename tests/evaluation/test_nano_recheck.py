"""What a second look at v_s stops, and when, is what an engine that looks at every token would stop."""

import json
import math
import sys
from dataclasses import replace

import pytest
import torch

from casa.evaluation import nano_recheck
from casa.evaluation.nano_recheck import THRESHOLDS, Written, recheck_figures, written_answers
from casa.model.outputs import Verdict
from tiny import user

SAFE, UNSAFE = Verdict("safe", 0.1, 0.2, 0.5), Verdict("unsafe", 0.9, 0.8, 0.5)
PREFILL = {"role": "assistant", "content": "Sure, here is"}


def risk_of(casa, ids):
    """v_s of one more prefill."""
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
    with torch.inference_mode(), casa.read_prefill(inputs["attention_mask"]) as reader:
        casa.base_model(**inputs, use_cache=False)
    return reader.risk().risk.item()


def test_each_risk_is_that_of_everything_before_its_token(tiny_casa):
    tiny_casa.config = replace(tiny_casa.config, threshold=1.0)
    conversations = [user("Hello"), [*user("What is this, and what was it before?"), PREFILL], user("word " * 30)]
    for conversation, found in zip(conversations, written_answers(tiny_casa, conversations, 4), strict=True):
        alone = tiny_casa.respond(conversation, 4)
        prompt = tiny_casa.chat.prompt(conversation)
        assert found.verdict.label == "safe" and found.text.strip() == alone.text
        assert len(found.risks) == len(prompt.prefill_ids) + alone.usage.completion_tokens - 1
        assert found.given == len(prompt.prefill_ids)
        ids = [*prompt.inputs["input_ids"][0].tolist(), tiny_casa.tokens.safe, *prompt.prefill_ids]
        for at, risk in enumerate(found.risks[: found.given + 1]):
            before = ids[: len(ids) - found.given + at]
            assert risk == pytest.approx(risk_of(tiny_casa, before), abs=1e-5)


def test_behind_an_unsafe_verdict_nothing_is_looked_at_again(tiny_casa):
    tiny_casa.config = replace(tiny_casa.config, threshold=1e-9)
    (found,) = written_answers(tiny_casa, [[*user("Hello"), PREFILL]], 3)
    assert found.verdict.label == "unsafe" and found.risks == [] and found.given == 0


def test_an_answer_stops_at_the_first_token_that_reaches_the_threshold_or_has_no_number():
    answer = Written(SAFE, "x", 0, [0.1, 0.6, 0.9, 0.2])
    assert [answer.stop(threshold) for threshold in (0.05, 0.6, 0.7, 0.95)] == [0, 1, 2, None]
    assert Written(SAFE, "x", 0, [0.1, math.nan]).stop(0.9) == 1


def test_figures_count_what_is_stopped_and_what_is_answered():
    answers = [
        Written(SAFE, "Here it is.", 1, [0.1, 0.2, 0.85]),
        Written(SAFE, "Here it is.", 3, [0.1, 0.6, 0.1]),
        Written(SAFE, "I can't help with that.", 0, [0.1]),
        Written(UNSAFE, "I can't help with that.", 0, []),
    ]
    found = recheck_figures(answers)
    assert (found["judged_safe"]["successes"], found["judged_safe"]["n"]) == (3, 4)
    assert (found["answered"]["successes"], found["answered"]["n"]) == (2, 4)
    at = found["thresholds"]
    assert [at[str(t)]["stopped"]["successes"] for t in (0.5, 0.8, 0.9)] == [2, 1, 0]
    assert [at[str(t)]["answered"]["successes"] for t in (0.5, 0.8, 0.9)] == [0, 1, 2]
    assert [at[str(t)]["shown_tokens"] for t in (0.5, 0.8, 0.9)] == [0.5, 1, None]
    assert recheck_figures(answers[3:])["thresholds"]["0.5"]["stopped"] is None


def test_the_command_writes_figures_of_every_attack_and_kind(tiny_casa_folder, tmp_path, monkeypatch):
    out = tmp_path / "recheck.json"
    options = ["--model", str(tiny_casa_folder), "--limit", "2", "--max-new-tokens", "2", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["nano_recheck", *options])
    nano_recheck.main()
    found = json.loads(out.read_text())["attacks"]
    assert {"none", "prefill 12", "third turn", "query in the prefill"} <= set(found)
    for kinds in found.values():
        assert set(kinds) == {"malicious", "benign", "lookalike"}
        assert all(set(figures["thresholds"]) == set(map(str, THRESHOLDS)) for figures in kinds.values())
