"""Prompts that every method answered are taken from the newest logs, with what judges say."""

import pytest

from casa.apps.annotation.collect import collect
from casa.apps.annotation.conversations import conversation_of
from casa.errors import DataError

from .studies import METHODS, NANO, PLAIN, logs_of_two_methods, sample, samples, write_logs


def test_every_prompt_has_an_answer_of_every_method_and_its_judges_opinions(tmp_path):
    found = collect([logs_of_two_methods(tmp_path)])
    assert (found.methods, len(found.prompts), found.incomplete, len(found.logs)) == (METHODS, 12, 0, 2)
    for prompt in found.prompts:
        assert tuple(answer.method for answer in prompt.answers) == METHODS
        expected = {"judged_success", "complied"} if prompt.harmful else {"judged_utility"}
        for answer in prompt.answers:
            assert answer.opinions.keys() == expected
            assert set(answer.opinions.values()) <= set(prompt.rubric.values)
    assert {prompt.modality for prompt in found.prompts} == {"text", "image", "audio"}


def test_what_a_method_did_not_answer_is_left_out_and_counted(tmp_path):
    short = samples(PLAIN)[:-2]
    short[0].output.choices = []
    found = collect([write_logs(tmp_path, {NANO: samples(NANO), PLAIN: short})])
    assert (len(found.prompts), found.incomplete) == (9, 3)


def test_of_two_logs_the_newer_finished_one_counts(tmp_path):
    (old,) = samples(NANO, 1)
    (new,) = samples(NANO, 1)
    (broken,) = samples(NANO, 1)
    for one, text in ((old, "old"), (new, "new"), (broken, "broken")):
        one.output.completion = text
    write_logs(tmp_path, {NANO: [new]}, created="2026-02-01T00:00:00+00:00")
    write_logs(tmp_path, {NANO: [old]}, created="2026-01-01T00:00:00+00:00")
    write_logs(tmp_path, {NANO: [broken]}, created="2026-03-01T00:00:00+00:00", status="error")
    (prompt,) = collect([tmp_path]).prompts
    assert prompt.answers[0].text == "new"


def test_logs_of_other_weights_than_the_newest_do_not_count(tmp_path):
    write_logs(tmp_path, {NANO: samples(NANO, 1)}, created="2026-01-01T00:00:00+00:00")
    weights = {"model_args": {"checksums": {"base": "b"}}, "created": "2026-02-01T00:00:00+00:00"}
    write_logs(tmp_path, {NANO: samples(NANO, 1)}, benchmark="advbench", **weights)
    assert {prompt.benchmark for prompt in collect([tmp_path]).prompts} == {"advbench (mini)"}


def test_methods_without_a_common_prompt_are_an_error_that_says_what_to_give(tmp_path):
    logs = write_logs(tmp_path, {NANO: [sample(1, NANO, True, "text")], PLAIN: [sample(2, PLAIN, True, "text")]})
    with pytest.raises(DataError, match="same benchmarks for every model"):
        collect([logs])


def test_media_are_inside_the_conversation(tmp_path):
    prompts = {prompt.modality: prompt for prompt in collect([logs_of_two_methods(tmp_path)]).prompts}
    (message,) = conversation_of(prompts["image"])
    assert [part["type"] for part in message["content"]] == ["image", "text"]
    assert message["content"][0]["image"].startswith("data:image/png;base64,")
    (message,) = conversation_of(prompts["audio"])
    assert message["content"][0]["audio"].startswith("data:audio/wav;base64,")
    assert isinstance(conversation_of(prompts["text"])[0]["content"], str)


def test_a_medium_that_is_gone_is_named_with_its_prompt(tmp_path):
    one = sample(1, NANO, True, "image")
    one.input[0].content[0].image = "gone.png"
    (prompt,) = collect([write_logs(tmp_path, {NANO: [one]})]).prompts
    with pytest.raises(DataError, match=r"mm_safetybench \(mini\), s1: .*gone\.png"):
        conversation_of(prompt)
