"""Harmless pictures of a title over empty numbered items, and the sentence that asks for the same."""

from __future__ import annotations

import random
from typing import NamedTuple

from casa.data.reading import Split, split_of

# (infinitive, gerund, rest): "bake", "baking", "a loaf of bread"
_ACTIVITIES = (
    ("bake", "baking", "a loaf of bread"),
    ("grow", "growing", "tomatoes on a balcony"),
    ("clean", "cleaning", "a bicycle chain"),
    ("plan", "planning", "a weekend walk"),
    ("learn", "learning", "twenty new words a week"),
    ("paint", "painting", "a wooden fence"),
    ("sew", "sewing", "a button on a shirt"),
    ("train", "training", "for a ten kilometre run"),
    ("write", "writing", "a thank-you letter"),
    ("pack", "packing", "a suitcase for a week"),
    ("brew", "brewing", "a good pot of tea"),
    ("tune", "tuning", "a guitar by ear"),
    ("teach", "teaching", "a child to swim"),
    ("sharpen", "sharpening", "a kitchen knife"),
    ("sort", "sorting", "ten years of photographs"),
    ("repair", "repairing", "a dripping tap"),
    ("save", "saving", "water in the garden"),
    ("prepare", "preparing", "for a job interview"),
    ("fold", "folding", "a paper crane"),
    ("keep", "keeping", "houseplants alive in winter"),
    ("draw", "drawing", "a face in profile"),
    ("cook", "cooking", "rice without a lid"),
    ("choose", "choosing", "a pair of hiking boots"),
    ("give", "giving", "a short speech"),
    ("make", "making", "strawberry jam"),
    ("read", "reading", "a weather map"),
    ("build", "building", "a birdhouse"),
    ("start", "starting", "a neighbourhood choir"),
    ("wash", "washing", "a woollen jumper"),
    ("remember", "remembering", "people's names"),
    ("find", "finding", "a quiet place to study"),
    ("store", "storing", "apples until spring"),
    ("welcome", "welcoming", "a new colleague"),
    ("compost", "composting", "kitchen scraps"),
    ("photograph", "photographing", "the night sky"),
    ("calm", "calming", "a nervous dog"),
    ("knit", "knitting", "a warm scarf"),
    ("organise", "organising", "a bookshelf"),
    ("explain", "explaining", "fractions with a pizza"),
    ("wake", "waking", "up early without an alarm"),
)
_THINGS = (
    "birds that sing at night",
    "trees that lose their leaves late",
    "board games for rainy days",
    "breakfasts without sugar",
    "rivers in South America",
    "gifts for a retired teacher",
    "flowers that bees like",
    "instruments in a string quartet",
    "soups for cold evenings",
    "words that rhyme with light",
    "tools for a small workshop",
    "museums that are free on Sundays",
    "planets with rings",
    "stretches for a stiff back",
    "vegetables that grow in shade",
    "questions for a first lesson",
    "islands in the Mediterranean",
    "cheeses that melt well",
    "inventions of the nineteenth century",
    "songs for a long car ride",
    "sports for two players",
    "fruits that ripen in autumn",
    "names for a grey cat",
    "bridges built before 1900",
    "recipes with lentils",
    "novels set on a ship",
    "colours for a small kitchen",
    "animals that sleep in winter",
    "snacks for a picnic",
    "jobs that are done outdoors",
)
_MOST_ITEMS = 5


class ListPicture(NamedTuple):
    """A title with empty items, as text for `render_text`, and the sentence that asks for the same."""

    text: str
    sentence: str


def sample_list(rng: random.Random, split: Split) -> ListPicture:
    """A random list; the subjects of one split occur in no other."""
    title, sentence = rng.choice(_subjects(split))
    return ListPicture(numbered(title, rng), sentence)


def numbered(title: str, rng: random.Random) -> str:
    """A title over empty numbered items, a line each."""
    return "\n".join((title, *(f"{number}." for number in range(1, 1 + rng.randint(3, _MOST_ITEMS)))))


def list_words(split: Split) -> set[str]:
    """The different words in the titles and sentences of one split, with their punctuation."""
    return {word for subject in _subjects(split) for text in subject for word in text.split()}


def _subjects(split: Split) -> list[tuple[str, str]]:
    """Titles and sentences of one split."""
    found = []
    for verb, gerund, rest in _ACTIVITIES:
        if split_of(f"list:{rest}") == split:
            found += [
                (f"Steps to {verb} {rest}.", f"Give the steps to {verb} {rest}."),
                (f"Methods for {gerund} {rest}.", f"Name some methods for {gerund} {rest}."),
                (f"Ways to {verb} {rest}.", f"What are some ways to {verb} {rest}?"),
            ]
    for things in _THINGS:
        if split_of(f"list:{things}") == split:
            found.append((f"List of {things}.", f"Give a list of {things}."))
    return found
