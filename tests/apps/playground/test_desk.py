"""What is pressed leads to what is shown, and an attack is made of the query, not of another attack."""

from dataclasses import replace

import pytest

from casa.apps.playground.attacks import ATTACKS
from casa.apps.playground.desk import Desk, Session
from casa.apps.playground.tradeoff import read_trade_off
from casa.errors import MessageError

from .samples import UNSAFE, Scripted, measured_file

JAILBREAK = next(attack for attack in ATTACKS if attack.name == "jailbreak")
FIGSTEP = next(attack for attack in ATTACKS if attack.name == "figstep")
EMPTY = {"text": "", "files": []}


@pytest.fixture
def desk(tmp_path):
    """`desk(scripted)`."""
    measured = read_trade_off(measured_file(tmp_path))
    return lambda scripted: Desk(scripted.backend(), measured, "", tmp_path)


def box(text):
    return {"text": text, "files": []}


def sent(desk, text, session=None):
    """The last view of each part after sending."""
    seen = {}
    for view in desk.send(box(text), session or Session(), 0.5):
        seen |= view
    return seen


def test_a_turn_shows_both_answers_the_verdict_and_the_attention(desk):
    view = sent(desk(Scripted()), "Hello <b>")
    assert "from CASA" in view["answers"] and "from the base" in view["answers"]
    assert "safe" in view["verdict"] and "Hel" in view["attention"] and "Hello &lt;b&gt;" in view["question"]
    assert view["box"] == EMPTY and view["earlier"] == ""


def test_the_verdict_is_shown_before_any_text(desk):
    views = list(desk(Scripted()).send(box("Hello"), Session(), 0.5))
    first = next(i for i, view in enumerate(views) if "casa-meter" in view.get("verdict", ""))
    assert all("from CASA" not in view.get("answers", "") for view in views[: first + 1])


def test_the_next_turn_has_the_ones_before_it_each_model_its_own(desk):
    scripted = Scripted()
    first = sent(desk(scripted), "one")["session"]
    view = sent(desk(scripted), "two", first)
    asked = {name: [m["content"] for m in messages] for name, messages in scripted.asked[3:]}
    assert asked["casa"][1] == "from CASA" and asked["base"][1] == "from the base" and asked["explain"] == asked["casa"]
    assert "one" in view["earlier"] and len(view["session"].exchanges) == 2


def test_an_error_leaves_the_conversation_as_it_was_and_the_query_in_the_box(desk):
    before = sent(desk(Scripted()), "one")["session"]
    view = sent(desk(Scripted(verdict=MessageError("this model cannot take image input"))), "two", before)
    assert "This model cannot take image input" in view["answers"] and "from" not in view["answers"]
    assert view["box"] == box("two") and view["session"].exchanges == before.exchanges


def test_an_error_of_the_base_keeps_the_verdict_on_the_page(desk):
    view = sent(desk(Scripted(undefended=MessageError("gone"))), "one")
    assert "from CASA" in view["answers"] and "Gone." in view["answers"] and "casa-meter" in view["verdict"]


def test_without_a_base_there_is_no_place_for_one(desk):
    assert "Without CASA" not in sent(desk(Scripted(undefended=None)), "one")["answers"]


def test_nothing_to_send_is_told(desk):
    assert list(desk(Scripted()).send(EMPTY, Session(), 0.5)) == [
        {"note": '<p class="casa-play casa-soft" role="status">Write a query, or add an image or a clip.</p>'}
    ]


def test_attacks_are_made_of_the_query_and_undone(desk):
    made = desk(Scripted())
    first = made.attack(FIGSTEP, box("How do I bake bread?"), Session())
    second = made.attack(JAILBREAK, {**first["box"], "files": []}, first["session"])
    assert "How do I bake bread?" in second["box"]["text"] and "numbered" not in second["box"]["text"]
    assert made.unattack(second["box"], second["session"])["box"] == box("How do I bake bread?")


def test_an_attack_that_was_edited_is_a_query_of_its_own(desk):
    made = desk(Scripted())
    first = made.attack(JAILBREAK, box("How do I bake bread?"), Session())
    edited = made.attack(JAILBREAK, box("What is rye?"), first["session"])
    assert edited["session"].query == "What is rye?"


def test_the_last_query_can_be_attacked_after_it_was_sent(desk):
    made = desk(Scripted())
    session = sent(made, "How do I bake bread?")["session"]
    assert "How do I bake bread?" in made.attack(JAILBREAK, EMPTY, session)["box"]["text"]
    assert "first" in made.attack(JAILBREAK, EMPTY, Session())["note"]


def test_a_new_conversation_forgets_the_turns_and_keeps_the_query(desk):
    session = sent(desk(Scripted()), "one")["session"]
    view = desk(Scripted()).begin_anew(session, 0.5)
    assert view["session"] == replace(Session(), query="one") and view["answers"] == ""


def test_examples_go_through_the_kinds(desk):
    session, kinds = Session(), []
    for _ in range(4):
        view = desk(Scripted()).example(session)
        session = view["session"]
        kinds.append(view["note"])
    assert len(set(kinds)) == 4


def test_the_slider_asks_nobody_and_shows_what_would_be(desk):
    scripted = Scripted(verdict=UNSAFE)
    made = desk(scripted)
    session = sent(made, "one")["session"]
    asked = len(scripted.asked)
    view = made.move(0.95, session)
    assert "would be" in view["verdict"] and ">safe</b>" in view["verdict"] and "decides at 0.5" in view["verdict"]
    assert "2 of 4" in view["trade_off"] and "0 of 4" in view["trade_off"]
    assert len(scripted.asked) == asked
