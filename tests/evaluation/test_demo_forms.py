"""Which prompts the demo asks again in pictures and speech: only what the model takes and this machine can make."""

import shutil
from collections import Counter

import pytest

from casa.errors import MissingDependencyError
from casa.evaluation import demo_forms, forms
from casa.evaluation.demo import DemoPrompt, demo_prompts, run_demo
from casa.evaluation.demo_forms import MEDIA_FORMS, everything_asked, short_prompts
from casa.model.messages import media_parts

can_speak = pytest.mark.skipif(
    not (shutil.which("espeak-ng") and shutil.which("flite")), reason="espeak-ng or flite is missing"
)


def forms_of(asked):
    return Counter(one.form for one in asked)


def kinds_of(asked, form):
    return [one.prompt.kind for one in asked if one.form == form]


def test_the_shortest_prompts_of_two_kinds_are_asked_again():
    lengths = {"malicious": (9, 5, 5, 7), "benign": (3, 2, 4, 2), "jailbreak": (1, 1)}
    prompts = [DemoPrompt(f"{kind}-{i}", kind, "x" * n) for kind, ns in lengths.items() for i, n in enumerate(ns)]
    assert [prompt.id for prompt in short_prompts(prompts)] == ["malicious-1", "malicious-2", "benign-1", "benign-3"]


@can_speak
def test_a_model_that_takes_everything_is_asked_in_every_form(tiny_casa):
    asked = everything_asked(tiny_casa.chat)
    assert [one.prompt for one in asked[:20]] == demo_prompts()
    assert forms_of(asked) == {"text": 20, **dict.fromkeys(MEDIA_FORMS, 4)}
    for form in MEDIA_FORMS:
        assert kinds_of(asked, form) == ["malicious", "malicious", "benign", "benign"]
    media = {one.form: [part["type"] for part in media_parts(one.messages)] for one in asked}
    assert media == {
        "text": [],
        "picture": ["image"],
        "figstep list": ["image"],
        "speech": ["audio"],
        "spelled speech": ["audio"],
    }


def test_forms_that_the_model_refuses_are_left_out(tiny_casa):
    tiny_casa.chat._refused_media = frozenset({"image", "audio"})
    assert forms_of(everything_asked(tiny_casa.chat)) == {"text": 20}


@pytest.mark.parametrize("missing", ["espeak-ng", "flite"])
def test_without_one_of_the_synthesizers_spoken_forms_are_left_out(tiny_casa, monkeypatch, missing):
    def absent():
        raise MissingDependencyError(f"the speech synthesizer {missing} is missing")

    present = dict.fromkeys({"espeak-ng", "flite"} - {missing}, object)
    monkeypatch.setattr("casa.nano.speech.say.SYNTHESIZERS", {**present, missing: absent})
    assert set(forms_of(everything_asked(tiny_casa.chat))) == {"text", "picture", "figstep list"}


def test_clips_that_the_report_could_not_show_are_not_asked(tiny_casa, monkeypatch):
    monkeypatch.setattr(demo_forms, "find_spec", lambda module: None if module == "soundfile" else object())
    assert not set(forms_of(everything_asked(tiny_casa.chat))) & set(forms.SPOKEN_FORMS)


@can_speak
def test_a_row_is_the_answer_to_what_was_sent(loaded):
    casa, base = loaded
    asked = [one for one in everything_asked(casa.chat) if one.form in ("picture", "spelled speech")][2:6]
    for one, row in zip(asked, run_demo(casa, base, asked), strict=True):
        assert (row.prompt, row.form, row.medium) == (one.prompt, one.form, media_parts(one.messages)[0])
        assert row.verdict.p_unsafe == pytest.approx(casa.classify(one.messages).p_unsafe, abs=1e-5)
        assert sum(token.weight for token in row.attributions) == pytest.approx(row.verdict.risk, abs=1e-5)
        assert any(token.place is not None for token in row.attributions)
