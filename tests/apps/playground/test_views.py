"""What the page shows is escaped, honest, and hides what nobody has checked."""

import re

import numpy as np
import pytest
from PIL import Image

from casa.apps.playground.conversation import Exchange, Said
from casa.apps.playground.turn import Turn
from casa.apps.playground.views import (
    answers_html,
    attention_html,
    earlier_html,
    intro_html,
    note_html,
    question_html,
    trade_off_html,
    verdict_html,
)
from casa.evaluation.drawings import as_data_url, wav_url
from casa.model.outputs import Attribution, Place, Verdict

from .samples import SAFE, UNSAFE

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(1)">'
QUESTION = {"role": "user", "content": [{"type": "text", "text": HOSTILE}]}
IMAGE = as_data_url(Image.new("RGB", (40, 20), "white"))
SOUND = wav_url(np.sin(np.arange(8000) / 9), 16000)


def test_what_users_models_and_servers_write_is_text_never_markup():
    turn = Turn(QUESTION, Said(HOSTILE, SAFE), Said(HOSTILE), error=HOSTILE)
    media = {"role": "user", "content": [{"type": "image", "image": f'{IMAGE}" onload="alert(1)'}]}
    attributions = [Attribution(HOSTILE, 0.5, False)]
    pages = [
        *(question_html(QUESTION), question_html(media), answers_html(turn, True), note_html(HOSTILE)),
        *(earlier_html([Exchange(QUESTION, turn.casa, turn.base)]), intro_html(HOSTILE, True)),
        *(attention_html([QUESTION], attributions, SAFE), trade_off_html(None, 0.5, HOSTILE)),
    ]
    for page in pages:
        assert "<script" not in page and "<img src=x" not in page and 'onload="' not in page


def test_an_undefended_answer_to_an_unsafe_query_is_folded_away():
    hidden = r"<details[^>]*><summary>[^<]*</summary>\s*<div class=\"casa-text\">base"
    for verdict, folded in ((UNSAFE, True), (SAFE, False)):
        exchange = Exchange(QUESTION, Said("casa", verdict), Said("base"))
        pages = answers_html(Turn(*vars(exchange).values()), True), earlier_html([exchange])
        assert [bool(re.search(hidden, page)) for page in pages] == [folded, folded]


def test_meters_stand_where_the_numbers_are():
    page = verdict_html(UNSAFE, 0.25)
    assert "width: 80.0%" in page and "width: 90.0%" in page and "left: 25.0%" in page
    assert 'aria-valuenow="0.800"' in page


@pytest.mark.parametrize("threshold, said", [(0.5, "where this model decides"), (0.95, "would be")])
def test_a_threshold_is_told_from_the_models_own(threshold, said):
    assert said in verdict_html(UNSAFE, threshold)


def test_a_decision_that_failed_has_no_meters():
    page = verdict_html(Verdict("unsafe", float("nan"), float("nan"), 0.5, failed=True), 0.5)
    assert "could not be computed" in page and "casa-meter" not in page


def test_what_was_not_measured_is_said():
    page = trade_off_html(None, 0.5, "the file is not there")
    assert "not measured" in page and "The file is not there" in page and "%" not in page


def test_attention_is_drawn_over_text_image_and_sound():
    messages = [{"role": "user", "content": [{"type": "image", "image": IMAGE}, {"type": "audio", "audio": SOUND}]}]
    attributions = [
        Attribution("Hi", 0.1, False),
        Attribution("<|IMAGE|>", 0.2, True, Place("image", 0, 0, 0, 1, 1)),
        Attribution("<|AUDIO|>", 0.1, True, Place("audio", 0, 0, 0, 1, 1)),
    ]
    page = attention_html(messages, attributions, SAFE)
    assert page.count('<img src="data:image/png') == 2 and "IMAGE" not in page
    assert "25 % text, 50 % images, 25 % sound" in page
