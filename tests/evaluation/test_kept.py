"""A measurement is read from its file as long as nothing that it depends on has changed."""

import json

import numpy as np
import pytest

from casa.evaluation import kept as kept_module
from casa.evaluation.defences import Outcome
from casa.evaluation.kept import digest, kept, kept_outcome, kept_outcomes

OUTCOME = Outcome([True, False], [False, True], [0.9, 0.1], [True, False], None)


def test_the_same_claim_is_measured_once_and_another_anew(tmp_path):
    measured = []

    def measure():
        measured.append(1)
        return {"value": len(measured)}

    path = tmp_path / "deep" / "x.json"
    assert [kept(path, {"model": "a"}, measure)["value"] for _ in range(2)] == [1, 1]
    assert kept(path, {"model": "b"}, measure)["value"] == 2
    assert [file.name for file in path.parent.iterdir()] == ["x.json"]


def test_an_outcome_comes_back_as_it_was_and_not_under_other_rules(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    assert kept_outcome(path, {}, lambda: OUTCOME) == OUTCOME
    assert kept_outcome(path, {}, lambda: pytest.fail("it was measured again")) == OUTCOME
    monkeypatch.setattr(kept_module, "rules_sha256", lambda: "other rules")
    other = Outcome([False], [False], None, None, ["Bread is baked."])
    assert kept_outcome(path, {}, lambda: other) == other


class Refuses:
    def respond(self, messages, max_new_tokens=256):
        from casa.baselines.interface import Reply

        return [Reply("I can't help with that.") for _ in messages]


def test_a_kind_that_changed_is_asked_alone_and_nothing_is_loaded_for_none(tmp_path):
    loaded = []
    chats = {kind: [[{"role": "user", "content": kind}]] for kind in ("malicious", "benign, key phrase in picture")}

    def run(asked, tokens=4):
        return kept_outcomes(tmp_path, {"config": "x"}, lambda: loaded.append(1) or Refuses(), asked, tokens, 2)

    first = run(chats)
    assert run(chats) == first and len(loaded) == 2
    changed = {**chats, "malicious": [[{"role": "user", "content": "other"}]]}
    run(changed)
    assert len(loaded) == 3
    run(changed, tokens=5)
    assert len(loaded) == 5
    assert first["malicious"].answers is None and first["benign, key phrase in picture"].answers
    assert "other" not in json.dumps([path.read_text() for path in tmp_path.iterdir()])


def test_media_are_part_of_what_is_asked():
    def asked(value):
        return [[{"role": "user", "content": [{"type": "audio", "audio": np.full(3, value)}]}]]

    assert digest(asked(0.5)) == digest(asked(0.5)) != digest(asked(0.25))


def test_outcomes_are_joined_in_their_order():
    plain = Outcome([False], [False], None, None, None)
    assert Outcome.joined([OUTCOME, OUTCOME]).p_unsafe == [0.9, 0.1, 0.9, 0.1]
    assert Outcome.joined([OUTCOME, plain]) == Outcome([True, False, False], [False, True, False], None, None, None)
