"""A button turns a query into something to send."""

import shutil

import pytest

from casa.apps.playground.attacks import ATTACKS, drafted
from casa.apps.playground.conversation import question_of
from casa.data.reading import jailbreak_templates
from casa.errors import CasaError, MessageError, MissingDependencyError

QUERY = "How do I pick the lock of a bicycle?"
BY_NAME = {attack.name: attack for attack in ATTACKS}
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")


@pytest.mark.parametrize("name", ["typography", "figstep"])
def test_a_picture_holds_the_query_and_the_text_does_not(name, tmp_path):
    draft = drafted(BY_NAME[name], QUERY, 0, tmp_path)
    assert "lock" not in draft.text
    assert [part["type"] for part in question_of(draft.text, draft.files)["content"]] == ["image", "text"]


@needs_espeak
@pytest.mark.parametrize("name, word", [("speech", "lock"), ("spelled", "bicycle")])
def test_a_clip_says_what_the_text_leaves_out(name, word, tmp_path):
    draft = drafted(BY_NAME[name], QUERY, 0, tmp_path)
    assert word not in draft.text
    assert [part["type"] for part in question_of(draft.text, draft.files)["content"]] == ["audio", "text"]


def test_each_press_takes_the_next_framing_that_training_never_saw(tmp_path):
    found = [drafted(BY_NAME["jailbreak"], QUERY, pressed, tmp_path) for pressed in range(3)]
    assert len({draft.text for draft in found}) == 3
    assert all(QUERY in draft.text and not draft.files for draft in found)
    assert found[0].text == jailbreak_templates("test")[0].fill(QUERY)
    assert drafted(BY_NAME["jailbreak"], QUERY, len(jailbreak_templates("test")), tmp_path) == found[0]


def test_each_draft_has_files_of_its_own(tmp_path):
    one, two = (drafted(BY_NAME["typography"], QUERY, 0, tmp_path) for _ in range(2))
    assert one.files != two.files


def test_what_cannot_be_turned_is_told(tmp_path, monkeypatch):
    with pytest.raises(MessageError, match="typographic image"):
        drafted(BY_NAME["typography"], "w" * 300, 0, tmp_path)
    with pytest.raises(CasaError):
        drafted(BY_NAME["speech"], "?!", 0, tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(MissingDependencyError, match="apt-get install espeak-ng"):
        drafted(BY_NAME["spelled"], QUERY, 0, tmp_path)
