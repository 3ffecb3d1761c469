"""What a tower alone reads is compared with what the picture says."""

import pytest
from PIL import Image

from casa.attacks.typography import beside
from casa.evaluation.nano_reading import reading_figures
from casa.evaluation.perception import Item
from casa.nano.vision.read import Reading


class Scripted:
    """Reads what it is told, picture by picture."""

    def __init__(self, *readings):
        self._readings = iter(readings)

    def read(self, pictures):
        assert pictures.shape == (1, 28, 56, 3)
        return [next(self._readings)]


def item(text, mode="RGB"):
    return Item(beside("Read it.", Image.new(mode, (56, 28))), text)


def test_errors_are_counted_in_characters_over_all_pictures():
    reader = Scripted(Reading("bake", (1,), "bakes"), Reading("bread ab", (1,), "bread"))
    figures = reading_figures(reader, [item("bake"), item("bread", mode="L")])
    assert figures["by_pieces"]["rate"] == pytest.approx(1 / 9)
    assert figures["by_characters"]["rate"] == pytest.approx(3 / 9)
    assert figures["by_pieces"]["items"] == 2


def test_line_breaks_and_the_blank_before_a_number_are_no_errors():
    figures = reading_figures(Scripted(Reading("page 12 of 3", (1,), "page12 of3")), [item("page 12\nof 3")])
    assert figures["by_pieces"]["rate"] == figures["by_characters"]["rate"] == 0
