"""JailBreakV-28K (Luo et al. 2024, arXiv 2404.03027): jailbreak texts beside images, and requests inside images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from casa.attacks.typography import beside_an_unrelated_picture, figstep, with_key_phrase_in_a_picture
from casa.evaluation.benchmarks.base import Benchmark, Item, Queries, csv_rows, find_file, user, whole_file
from casa.evaluation.benchmarks.derived import BOTH, SEED, asked, attacked, framed

FILES = {"JailBreakV_28K/JailBreakV_28K.csv": 28000, "JailBreakV_28K/mini_JailBreakV_28K.csv": 280}  # items of each
_COLUMNS = ("id", "jailbreak_query", "redteam_query", "format", "policy", "image_path")


def read(folder: Path) -> Iterator[Item]:
    """The items of the main file, else of the mini one.

    Ids begin with the folder of the image (`llm_transfer_attack`, `figstep` or `query_related`), the class of the item. The name of
    an image tells its kind: blank_0.png, nature_1365.jpeg, SD_related_566.png.
    """
    file = find_file(folder, *FILES)
    for row in csv_rows(file, _COLUMNS):
        yield Item(
            id=f"{row['image_path'].partition('/')[0]}/{row['id']}",
            messages=user(file.parent / row["image_path"], row["jailbreak_query"]),
            goal=row["redteam_query"],
            harmful=True,
            category=row["policy"],
            attack=row["format"].casefold(),  # one format is spelled in two ways
            picture=re.sub(r"[_\d]+$", "", Path(row["image_path"]).stem) or None,
        )


def mini(queries: Queries) -> Iterator[Item]:
    """The project's queries, harmless ones too: framed beside an unrelated picture, as a list, their key phrase in a picture."""
    yield from framed(queries, "template", partial(beside_an_unrelated_picture, seed=SEED))
    yield from attacked(asked(queries, *BOTH), {"figstep": figstep, "typo": with_key_phrase_in_a_picture})


BENCHMARK = Benchmark(
    name="jailbreakv",
    title="JailBreakV-28K",
    measures="attack",
    modality="image",
    size=28000,
    licence="MIT",
    source="huggingface.co/datasets/JailbreakV-28K/JailBreakV-28k",
    obtain=(
        "Download the data set, and unpack the image archive that its card links to into JailBreakV_28K. The hub holds the "
        "images of the mini set only: with these, keep mini_JailBreakV_28K.csv and remove JailBreakV_28K.csv."
    ),
    read=read,
    mini=mini,
    hub="JailbreakV-28K/JailBreakV-28k",
    whole=partial(whole_file, sizes=FILES),
)
