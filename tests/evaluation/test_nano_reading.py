"""What a tower alone reads is compared with what the picture says."""

from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from casa.attacks.typography import beside
from casa.evaluation.nano_reading import naming_figures, reading_figures
from casa.evaluation.perception import Item
from casa.nano.vision.read import Reading


class Scripted:
    """Reads what it is told, picture by picture."""

    def __init__(self, *readings):
        self._readings = iter(readings)

    def read(self, pictures):
        assert pictures.shape == (1, 28, 56, 3)
        return [next(self._readings)]

    def closeness(self, pictures):
        return torch.tensor([0.5, 1.0])


def item(text, mode="RGB"):
    return Item(beside("Read it.", Image.new(mode, (56, 28))), text)


def test_errors_are_counted_in_characters_over_all_pictures():
    reader = Scripted(Reading("bake", (1,), "bakes"), Reading("bread ab", (1,), "bread"))
    figures = reading_figures(reader, [item("bake"), item("bread", mode="L")])
    assert figures["by_pieces"]["rate"] == pytest.approx(1 / 9)
    assert figures["by_characters"]["rate"] == pytest.approx(3 / 9)
    assert figures["by_pieces"]["items"] == 2
    assert figures["closeness"] == 0.75


def test_line_breaks_and_the_blank_before_a_number_are_no_errors():
    figures = reading_figures(Scripted(Reading("page 12 of 3", (1,), "page12 of3")), [item("page 12\nof 3")])
    assert figures["by_pieces"]["rate"] == figures["by_characters"]["rate"] == 0


def test_shapes_of_scenes_are_named_by_their_words():
    class Naming:
        vocabulary = SimpleNamespace(pieces=lambda word: (SimpleNamespace(label=sum(map(ord, word))),))

        def wanted(self, targets, count):
            return [Reading("", (1, 2), "red star"), Reading("", (3, 4, 5, 6), "")]

        def read(self, pictures):
            assert pictures.shape == (2, 224, 224, 3)
            return [Reading("", (1,), "red"), Reading("", (3, 4, 5, 6), "")]

    assert naming_figures(Naming(), 2, seed=0)["by_pieces"]["rate"] == pytest.approx(1 / 6)
