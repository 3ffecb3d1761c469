import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.nano.speech.speakable import speakable


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("for example 4,870?", "for example four thousand eight hundred seventy?"),
        ("the 1920s", "the nineteen twenties"),
        (
            "in 1929 and 2008, 1906 and 1900.",
            "in nineteen twenty nine and two thousand eight, nineteen oh six and nineteen hundred.",
        ),
        ("5km at 70 and 80 km/h", "five kilometres at seventy and eighty kilometres an hour"),
        ("earn 12% of 12.50", "earn twelve percent of twelve point five zero"),
        ("€5 or $1,000, or 3€", "five euros or one thousand dollars, or three euros"),
        ("my room is -9 degrees", "my room is minus nine degrees"),
        ("solve 3x + 7 = 25", "solve three x plus seven equals twenty five"),
        ("agent 007", "agent zero zero seven"),
        ("a USB stick with my ID", "a U S B stick with my I D"),
        ("a six-year-old's café", "a six year old's cafe"),
        ('Say "it\'s late", please: now', "Say it's late, please, now"),
        ("the workers\u2019 pay \u2013 and more", "the workers pay, and more"),
        ("some_USB_stick, A''B", "some U S B stick, A B"),
        ("wait... what?!", "wait. what?"),
        ("; rm -rf / <break/> [[x]]", "rm rf break x"),
        ("你好 *** ", ""),
    ],
)
def test_what_is_said_is_written_in_words(written, said):
    assert speakable(written) == said


@settings(deadline=None)
@given(st.text())
def test_nothing_but_letters_and_simple_punctuation_is_left(text):
    said = speakable(text)
    assert re.fullmatch(r"[A-Za-z',.?! ]*", said)
    assert said == said.strip()
    assert speakable(said) == said


@settings(deadline=None)
@given(st.integers(0, 10**15))
def test_any_number_is_said(number):
    assert re.fullmatch(r"[a-z ]+", speakable(str(number)))
