"""A step's instructions depend on seed and step alone, and words to repeat come from everywhere."""

from dataclasses import replace

import pytest

from casa.data.reading import Example
from casa.nano.align.instructions import Instructions
from casa.nano.align.recipe import AlignRecipe

RECIPE = AlignRecipe(output_dir="", batch_size=4, text_share=0.2, repeat_share=0.5, sound_share=0.5, scene_share=0.0)
EXAMPLES = [
    Example(f"{n}", f"how do I bake bread number {n}", False, "so", "plain", f"{n}", "train", "test") for n in range(20)
]
ANSWERS = {example.key(): [1, 2] for example in EXAMPLES}


class Recorder:
    """Writes down what it is told to lay out."""

    def __init__(self):
        self.shown, self.spelt = [], []

    def laid(self, text, answer, form, repeat, rng, real):
        self.shown.append((text, form, repeat))
        return object()

    def spelled(self, word, rng, real):
        self.spelt.append(word)
        return object()


def drawn(steps, recipe=RECIPE, words=()):
    recorder = Recorder()
    instructions = Instructions(EXAMPLES, ANSWERS, recorder, recipe, words)
    for step in steps:
        assert len(instructions.batch(step)) == recipe.batch_size
    return recorder


def test_a_step_is_the_same_whatever_came_before():
    assert drawn([7]).shown == drawn(range(8)).shown[-len(drawn([7]).shown) :]
    assert drawn([7], replace(RECIPE, seed=1)).shown != drawn([7]).shown


def test_what_is_to_be_followed_or_stays_text_is_a_whole_instruction():
    texts = {example.text for example in EXAMPLES}
    found = drawn(range(50)).shown
    assert all(text in texts for text, form, repeat in found if form == "text" or not repeat)
    assert {form for _, form, _ in found} == {"text", "picture", "sound"}


@pytest.mark.parametrize("words", [(), ("planet", "mouth")])
def test_words_to_repeat_and_to_spell_come_from_the_instructions_and_from_those_given(words):
    found = drawn(range(100), replace(RECIPE, repeat_share=1.0, spell_share=0.5), words)
    own = {word for example in EXAMPLES for word in example.text.split()}
    repeated = {word for text, form, repeat in found.shown if repeat and form != "text" for word in text.split()}
    assert set(words) <= repeated <= own | set(words)
    assert set(words) <= set(found.spelt) and "bread" in repeated and "bread" in found.spelt


def test_lists_are_pictures_to_be_repeated_with_any_title():
    lists = [shown for shown in drawn(range(60), replace(RECIPE, list_share=1.0)).shown if "\n1.\n2." in shown[0]]
    assert {(form, repeat) for _, form, repeat in lists} == {("picture", True)}
    titles = {text.split("\n")[0] for text, _, _ in lists}
    assert any(title in text for title in titles for text in (example.text for example in EXAMPLES))
    assert any(title.startswith(("Steps to", "Ways to", "Methods for", "List of")) for title in titles)
