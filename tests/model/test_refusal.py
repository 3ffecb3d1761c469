import pytest

from casa.data.reading import data_folder
from casa.model.refusal import FIXED_REFUSAL, is_refusal


@pytest.mark.parametrize(
    "text",
    [
        FIXED_REFUSAL,
        "I'm sorry, but I can't assist with that.",
        "I won't write that, because it would hurt people.",
        "Sorry, but no: this would be fraud.",
        "I\u2019m not able to help with this request.",
        "As an AI, I cannot provide instructions for that.",
        "That's something I can't do.",
        "There will be no such letter from me.",
    ],
)
def test_refusals_are_recognised(text):
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sure, here is how it works: first, open the valve.",
        "No. Some referendums are legally binding, while others are advisory.",
        "You can't divide by zero, because no number times zero is one.",
        'Try: "I am sorry, I can\'t come to your wedding."',
        "I won't forget that summer, the old man said, and sat down.",
    ],
)
def test_answers_are_not_mistaken_for_refusals(text):
    assert not is_refusal(text)


def test_compliant_openings_are_not_mistaken_for_refusals():
    lines = (data_folder() / "compliant_openings.txt").read_text().splitlines()
    assert len(lines) >= 20
    assert not [line for line in lines if is_refusal(line)]
