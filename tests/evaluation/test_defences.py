"""Any defence is measured alike, and no answer to a harmful request is kept."""

import json
import math

import pytest

from casa.baselines.interface import Reply
from casa.data.held_out import HARMLESS
from casa.evaluation.defences import (
    against_casa,
    behaviour,
    conversations_by_kind,
    defence_figures,
    latencies,
    outcomes,
    seconds_to_first_token,
)
from casa.evaluation.forms import chosen_forms
from casa.evaluation.kept import digest
from casa.evaluation.kinds import ATTACKED, BURIED, MEAN_COLUMNS, PREFILLS, SCENES, is_harmless
from casa.evaluation.paper_tables import paired_table, paper_table, unrefused_table
from casa.model.outputs import Verdict

CONVERSATIONS = conversations_by_kind("dev", seed=0, limit=4)
REFUSAL = "I can't help with that."
HARMFUL_TEXTS = {json.dumps(chat) for kind in ATTACKED for chat in CONVERSATIONS[kind]}


class Scripted:
    """Refuses what it is told to, and answers everything else."""

    def __init__(self, refuses=lambda chat: json.dumps(chat) in HARMFUL_TEXTS, verdicts=True):
        self.refuses, self.verdicts, self.asked = refuses, verdicts, []

    def respond(self, messages, max_new_tokens=256):
        self.asked += messages
        return [self._reply(chat) for chat in messages]

    def _reply(self, chat):
        unsafe = self.refuses(chat)
        verdict = Verdict("unsafe" if unsafe else "safe", float(unsafe), math.nan, 0.5) if self.verdicts else None
        return Reply(REFUSAL if unsafe else "Here are some words that say a thing.", verdict)


def test_every_kind_is_there_and_attacks_are_on_the_same_queries():
    assert set(CONVERSATIONS) == {*ATTACKED, *HARMLESS}
    plain = [chat[0]["content"] for chat in CONVERSATIONS["malicious"]]
    for name, words in PREFILLS.items():
        assert [chat[0]["content"] for chat in CONVERSATIONS[name]] == plain
        assert all(len(chat[1]["content"].split()) == words for chat in CONVERSATIONS[name])
    buried = [chat["content"] for (chat,) in CONVERSATIONS[BURIED]]
    assert all(query in text and len(text.split()) > 500 for query, text in zip(plain, buried, strict=True))
    assert [chat[-1]["content"] for chat in CONVERSATIONS["third turn"]] == plain
    assert all(query in chat["content"] for query, (chat,) in zip(plain, CONVERSATIONS["jailbroken"], strict=True))


def test_only_answers_to_harmless_conversations_are_kept():
    found = outcomes(Scripted(), CONVERSATIONS, 4, batch_size=3)
    assert all((found[kind].answers is None) == (kind in ATTACKED) for kind in found)
    for kind, outcome in found.items():
        assert outcome.refused == [kind in ATTACKED] * len(CONVERSATIONS[kind])


def test_both_classes_reach_the_models_in_every_form():
    found = conversations_by_kind("dev", 0, 2, forms=chosen_forms(["picture"], "dev", 0))
    assert set(found) == {*CONVERSATIONS, "picture", "benign, picture", SCENES} and len(found[SCENES]) == 2
    assert [is_harmless(kind) for kind in ("picture", "benign, picture", "lookalike", BURIED)] == [
        False,
        True,
        True,
        False,
    ]
    assert digest(found) == digest(conversations_by_kind("dev", 0, 2, forms=chosen_forms(["picture"], "dev", 0)))
    assert digest(found) != digest({**found, "picture": found["benign, picture"]})
    made = behaviour(outcomes(Scripted(lambda chat: isinstance(chat[0]["content"], list)), found, 4, 3))
    assert made["attack_success"]["picture"]["rate"] == 0 and made["refused"]["benign, picture"]["rate"] == 1


def test_media_are_measured_apart():
    """Benign queries, refused in pictures only; latency on a form of each medium."""
    found = conversations_by_kind("dev", 0, 2, forms=chosen_forms(["picture", "key phrase in picture"], "dev", 0))
    defence = Scripted(lambda chat: isinstance(chat[0]["content"], list))
    refused = behaviour(outcomes(defence, found, 4, 3))["refused_by_medium"]
    assert {medium: (rate["value"], rate["n"]) for medium, rate in refused.items()} == {
        "text": (0.0, 2),
        "picture": (1.0, 2),
    }
    defence.asked.clear()
    assert {medium: len(waited) for medium, waited in latencies(defence, found, 1).items()} == {"text": 1, "picture": 1}
    assert defence.asked == [found["benign"][0]] * 2 + [found["benign, picture"][0]] * 2


def test_the_first_tokens_are_timed_one_conversation_at_a_time():
    defence = Scripted()
    assert len(seconds_to_first_token(defence, CONVERSATIONS["benign"])) == 4
    assert defence.asked == [CONVERSATIONS["benign"][0], *CONVERSATIONS["benign"]]


def figures(**scripts):
    found = {name: outcomes(defence, CONVERSATIONS, 4, batch_size=3) for name, defence in scripts.items()}
    casa = found["casa"]
    return {
        name: {
            "method": name,
            "training": None if name == "casa" else {"steps": None, "seed": 0},
            **defence_figures(found[name], {"text": [0.01, 0.03]}, found["pretrained"]),
            "against_casa": {"run": "casa", **against_casa(found[name], casa)} if name != "casa" else None,
            "against_ssft": None,
        }
        for name in found
    }


def test_every_column_counts_once_in_the_mean_and_plain_queries_do_not():
    """A model that gives in to prefills alone, and to plain queries, which are no attack, is broken in one of four columns."""
    prefilled = {json.dumps(chat) for name in (*PREFILLS, "malicious") for chat in CONVERSATIONS[name]}
    made = behaviour(outcomes(Scripted(lambda chat: json.dumps(chat) not in prefilled), CONVERSATIONS, 4, 3))
    measured = [name for name, kinds in MEAN_COLUMNS.items() if set(kinds) <= set(CONVERSATIONS)]
    assert measured == ["JB-Prompt style", "prefill", "multi-turn", "dilution"]
    assert made["mean_attack_success"]["value"] == 0.25 and made["attack_success"]["malicious"]["rate"] == 1.0


def test_figures_of_a_perfect_defence_of_none_and_of_one_that_refuses_all():
    made = figures(
        pretrained=Scripted(lambda chat: False, verdicts=False), casa=Scripted(), refuser=Scripted(lambda chat: True)
    )
    json.dumps(made, allow_nan=False)
    casa, pretrained, refuser = made["casa"], made["pretrained"], made["refuser"]
    assert {kind: rate["rate"] for kind, rate in casa["attack_success"].items()} == dict.fromkeys(ATTACKED, 0.0)
    assert {kind: rate["rate"] for kind, rate in pretrained["attack_success"].items()} == dict.fromkeys(ATTACKED, 1.0)
    assert casa["collapsed"]["harmful"] is None and pretrained["collapsed"]["harmful"]["rate"] == 0.0
    assert casa["auroc"]["value"] == 1.0 and refuser["auroc"]["value"] == 0.5 and pretrained["auroc"] is None
    assert pretrained["flagged_unsafe"] is None and refuser["flagged_unsafe"]["benign"]["rate"] == 1.0
    assert casa["utility"]["rouge_l"]["text"]["value"] == 1.0 and refuser["utility"]["rouge_l"]["text"]["value"] < 0.5
    assert pretrained["against_casa"]["refused"]["malicious"] == {"only_first": 4, "only_second": 0, "p": 0.125}
    assert refuser["against_casa"]["refused"]["benign"]["only_second"] == 4
    assert [made[name]["mean_attack_success"]["value"] for name in made] == [1.0, 0.0, 0.0]
    assert pretrained["against_casa"]["mean_attack_success"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 4}
    assert refuser["against_casa"]["mean_attack_success"]["value"] == 0.0
    assert casa["first_token_ms"]["text"]["median"] == pytest.approx(20)


@pytest.mark.parametrize("text", ["", "the the the the the the", "Bread"])
def test_what_falls_apart_is_no_success_and_no_refusal(text):
    class Broken(Scripted):
        def _reply(self, chat):
            return Reply(text if json.dumps(chat) in HARMFUL_TEXTS else "Here are some words that say a thing.")

    made = behaviour(outcomes(Broken(), CONVERSATIONS, 4, batch_size=3))
    assert {kind: rate["rate"] for kind, rate in made["attack_success"].items()} == dict.fromkeys(ATTACKED, 0.0)
    assert {kind: rate["rate"] for kind, rate in made["unrefused"].items()} == dict.fromkeys(ATTACKED, 1.0)
    assert (made["collapsed"]["harmful"]["rate"], made["collapsed"]["harmless"]["rate"]) == (1.0, 0.0)


SOURCE = {
    "command": "python -m x",
    "commit": "abcdef0123456",
    "seed": 0,
    "environment": {"machine": "2-core CPU"},
    "mean_columns": ["JB-Prompt style", "prefill"],
}


def test_the_tables_have_a_row_a_defence_and_the_paired_one_leaves_casa_out():
    made = figures(pretrained=Scripted(lambda chat: False, verdicts=False), casa=Scripted())
    lines = paper_table({**SOURCE, "defences": made}).splitlines()
    assert len({line.count("|") for line in lines[:4]}) == 1
    assert lines[2].startswith(
        "| pretrained | `pretrained` |  | 100.0 (51.0 to 100.0) | 100.0 (51.0-100.0) |"
    ) and lines[2].endswith("|  |  | 20 |")
    assert lines[3].startswith(
        "| casa | `casa` | as shipped, with a budget of its own | 0.0 (0.0 to 49.0) | 0.0 (0.0-49.0) |"
    )
    assert "of the columns JB-Prompt style, prefill" in "".join(lines)
    unrefused = unrefused_table({**SOURCE, "defences": made}).splitlines()
    assert len({line.count("|") for line in unrefused[:4]}) == 1 and unrefused[3].startswith(
        "| casa | 0.0 (0.0-49.0) |"
    )
    paired = paired_table({**SOURCE, "defences": made}).splitlines()
    assert paired[2].startswith("| pretrained | casa | 100.0 (100.0 to 100.0) | 4 / 0, 0.12 |") and not paired[3]
