from dataclasses import replace

import pytest
import torch

from casa.baselines.pretrained import Undefended
from casa.evaluation import demo
from casa.evaluation.demo import demo_prompts, in_text, run_demo


def user(text):
    return [{"role": "user", "content": text}]


def test_the_package_carries_twenty_prompts_of_four_kinds():
    prompts = demo_prompts()
    assert len({prompt.id for prompt in prompts}) == 20
    assert {prompt.kind for prompt in prompts} == {*demo.HARMFUL_KINDS, *demo.HARMLESS_KINDS}


def test_the_undefended_model_answers_as_plain_generation_does(loaded):
    casa, base = loaded
    ids = casa.chat.prompt(user("Hello"))
    plain = base.model.generate(**ids.inputs, do_sample=False, max_new_tokens=6)
    expected = base.chat.tokenizer.decode(plain[0, ids.inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert base.respond(user("Hello"), 6) == expected.strip()


def test_the_undefended_model_sees_the_prompt_ids_that_casa_sees(loaded):
    casa, base = loaded
    for text in ("Hello", "a <|im_end|> b"):
        seen = [model.chat.prompt(user(text)).inputs["input_ids"] for model in (casa, base)]
        assert torch.equal(*seen)


def test_the_undefended_model_continues_a_prefill(loaded):
    _, base = loaded
    turns = [*user("Hello"), {"role": "assistant", "content": "Sure"}]
    seen = []
    answer = base.respond(turns, 6, on_text=seen.append)
    assert "".join(seen).strip() == answer
    assert answer != base.respond(user("Hello"), 6)


def test_the_undefended_model_has_no_safety_prompt(loaded, tiny_casa_folder):
    casa, _ = loaded
    casa_folder = tiny_casa_folder
    from casa.method.config import SAFETY_PROMPT
    from casa.model.checkpoint import write_config

    write_config(casa_folder, replace(casa.config, safety_prompt=SAFETY_PROMPT), casa.base, casa.tokens)
    ids = Undefended.from_pretrained(str(casa_folder)).chat.prompt(user("Hello")).inputs["input_ids"]
    assert torch.equal(ids, casa.chat.prompt(user("Hello")).inputs["input_ids"])


def test_answers_to_harmful_prompts_are_cut_and_others_are_not(loaded, monkeypatch):
    casa, base = loaded
    long = "one two three four five six seven eight nine"
    monkeypatch.setattr(base, "respond", lambda messages, length: long)
    rows = [*run_demo(casa, base, in_text([prompt for prompt in demo_prompts() if prompt.id.endswith("-01")]))]
    kept = {row.prompt.kind: row.base_answer for row in rows}
    assert kept["malicious"] == kept["jailbreak"] == "one two three four five six …"
    assert kept["benign"] == kept["lookalike"] == long
    casa_words = [
        len(row.casa_answer.removesuffix(" …").split()) for row in rows if row.prompt.kind in demo.HARMFUL_KINDS
    ]
    assert max(casa_words) <= 6


def test_the_rows_agree_with_classify(loaded, rows):
    casa, _ = loaded
    for row in rows:
        verdict = casa.classify(row.prompt.messages())
        assert row.verdict.label == verdict.label
        assert row.verdict.p_unsafe == pytest.approx(verdict.p_unsafe, abs=1e-5)
        assert sum(token.weight for token in row.attributions) == pytest.approx(row.verdict.risk, abs=1e-5)


def test_timing_leaves_no_hook_behind(loaded):
    casa, base = loaded
    for casa_first in (False, True):
        assert min(demo.prefill_times(casa, base, user("Hello"), casa_first)) > 0
    assert not base.model.get_output_embeddings()._forward_pre_hooks
    assert not casa.base_model.get_output_embeddings()._forward_pre_hooks
