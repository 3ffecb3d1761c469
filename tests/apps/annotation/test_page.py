"""What a rater reads: escaped, blind, and kind."""

import pytest

from casa.apps.annotation.page import task_html
from casa.apps.annotation.rubrics import SAFETY, UTILITY
from casa.apps.annotation.session import Progress, Sessions, Task

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(1)">'
URL = "data:image/png;base64,AA=="


def task(conversation, goal="g", answer="a", rubric=SAFETY):
    return Task(1, rubric, conversation, goal, answer)


def test_what_users_and_models_write_is_text_never_markup():
    parts = [{"type": "image", "image": f'{URL}" onload="alert(1)'}, {"type": "text", "text": HOSTILE}]
    page = task_html(Progress(0, 2, ""), task([{"role": "user", "content": parts}], HOSTILE + "!", HOSTILE))
    assert "<script" not in page and "<img src=x" not in page and 'onload="' not in page
    assert page.count("&lt;script&gt;") == 3


def test_media_and_every_turn_are_shown():
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "audio", "audio": "data:audio/wav;base64,AA=="}]},
        {"role": "assistant", "content": "Well,"},
        {"role": "user", "content": [{"type": "image", "image": URL}]},
    ]
    page = task_html(Progress(0, 2, ""), task(chat))
    assert '<audio controls preload="auto" src="data:audio/wav' in page and f'src="{URL}"' in page
    assert page.index("Be brief.") < page.index("<audio") < page.index("Well,") < page.index("<img")


def test_the_goal_is_told_only_where_the_request_hides_it():
    plain = [{"role": "user", "content": "the goal"}]
    assert "plain words" not in task_html(Progress(0, 2, ""), task(plain, "the goal"))
    assert "plain words" in task_html(Progress(0, 2, ""), task(plain, "another"))


def test_an_empty_answer_is_said_to_be_empty():
    assert "the answer is empty" in task_html(
        Progress(0, 2, ""), task([{"role": "user", "content": "q"}], answer=" \n")
    )


@pytest.mark.parametrize("rubric", [SAFETY, UTILITY])
def test_the_opening_teaches_both_questions_and_warns(rubric):
    page = task_html(Progress(0, 2, "Dr. Example"), None)
    assert rubric.question in page and all(option.meaning in page for option in rubric.options)
    assert "disturbing" in page and "Dr. Example" in page


def test_the_end_and_a_wrong_link_say_what_to_do():
    assert "close this page" in task_html(Progress(2, 2, ""), None)
    assert "not known" in task_html(None, None)


def test_no_page_of_a_study_names_a_method(batch):
    sessions = Sessions(batch)
    token = sessions.links()[0].token
    while one := sessions.next_task(token):
        page = task_html(sessions.progress(token), one)
        assert "nano" not in page and "undefended" not in page and "judged" not in page
        sessions.rate(token, one.assignment, "unsure")
