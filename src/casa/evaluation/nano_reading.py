"""`python -m casa.evaluation.nano_reading`: how well casa-nano's vision tower alone reads; writes results/nano_reading.json.

The pictures are those of `nano_perception`: held-out texts in held-out fonts, lists, and scenes. Each of the tower's vectors is
read as the nearest piece of the language model's, which takes no part, and by the character head of the training; how near it
lies to that piece's embedding is told too, for the language model reads the vector itself.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from casa.data.held_out import held_out_queries
from casa.evaluation.measurement import write_result
from casa.evaluation.perception import Item, characters, error_rate, lists, rendered
from casa.hashing import sha256_of
from casa.model.messages import media_parts
from casa.nano.trained import trained_folder
from casa.nano.vision.batches import Artist
from casa.nano.vision.read import TOWER_FILE, Reader, edit_distance

_SIDE = 8  # cells of a scene's side


def reading_figures(reader: Reader, items: Sequence[Item]) -> dict[str, Any]:
    """Character error rates of what is read in pictures, by pieces and by the character head; and the vectors' mean closeness.

    Args:
        reader: the tower.
        items: pictures and what they say.
    """
    right = [_without_gaps(item.right) for item in items]
    wrong: dict[str, list[int]] = {"by_pieces": [], "by_characters": []}
    near: list[float] = []
    for item, text in zip(track(items, "Reading", console=Console(stderr=True)), right, strict=True):
        (part,) = media_parts(item.conversation)
        picture = torch.from_numpy(np.array(part["image"].convert("RGB")))[None]
        (found,) = reader.read(picture)
        for name, read in zip(wrong, (found.piece_text, found.text), strict=True):
            wrong[name].append(edit_distance(_without_gaps(read), text))
        near += reader.closeness(picture).tolist()
    length = np.array([len(text) for text in right])
    rates = {name: error_rate(np.array(errors), length)._asdict() for name, errors in wrong.items()}
    return {**rates, "closeness": sum(near) / max(1, len(near))}


def naming_figures(reader: Reader, count: int, seed: int) -> dict[str, Any]:
    """Error rate of the words, colours and kinds, by which the shapes of scenes are named.

    Args:
        reader: the tower.
        count: of the scenes.
        seed: of the scenes.
    """
    batch = Artist((), "test", reader.vocabulary).scenes(random.Random(f"named {seed}"), count, _SIDE, _SIDE)
    pairs = list(zip(reader.read(batch.pictures), reader.wanted(batch.targets, count), strict=True))
    wrong = np.array([edit_distance(found.pieces, right.pieces) for found, right in pairs])
    return {"by_pieces": error_rate(wrong, np.array([len(right.pieces) for _, right in pairs]))._asdict()}


def _without_gaps(text: str) -> str:
    """The text with single blanks, and none before a digit: there the blank is a piece of its own, which pictures do not show."""
    return re.sub(r" (?=\d)", "", characters(text))


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "run",
        type=Path,
        nargs="?",
        default=trained_folder() / "vision",
        help="folder of a training; else the shipped tower",
    )
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    parser.add_argument("--limit", type=int, default=100, help="most pictures of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of texts, styles and lists")
    parser.add_argument("--out", type=Path, default=Path("results/nano_reading.json"))
    options = parser.parse_args()
    texts = [example.text for example in held_out_queries(options.split, options.seed, options.limit)["benign"]]
    kinds = {
        "instructions": rendered(texts, options.split, options.seed),
        "lists": lists(len(texts), options.split, options.seed),
    }
    reader = Reader.from_folder(options.run)
    figures = {name: reading_figures(reader, items) for name, items in kinds.items()}
    figures["scenes"] = naming_figures(reader, options.limit, options.seed)
    write_result(options, torch.device("cpu"), {"tower_sha256": sha256_of(options.run / TOWER_FILE), **figures})


if __name__ == "__main__":
    main()
