"""`python -m casa.evaluation.refusal_rules`: the error rates of the refusal rules, on the seed data's own answers."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from casa.data.reading import SEED_DATA, Split, data_folder, read_examples
from casa.evaluation.metrics import Rate
from casa.model.refusal import is_refusal
from casa.provenance import provenance


def refusal_rule_errors(split: Split) -> dict[str, Any]:
    """How many refusals the rules find, and how many ordinary answers they mistake for refusals."""
    examples = [e for e in read_examples([SEED_DATA]) if e.split == split and e.answer]
    found = {
        malicious: [is_refusal(e.answer or "") for e in examples if e.malicious == malicious]
        for malicious in (True, False)
    }
    return {
        "refusals_found": asdict(Rate.of(sum(found[True]), len(found[True]))),
        "answers_mistaken": asdict(Rate.of(sum(found[False]), len(found[False]))),
    }


def main() -> None:
    """Entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/refusal_rules.json"))
    options = parser.parse_args()
    openings = (data_folder() / "compliant_openings.txt").read_text(encoding="utf-8").split("\n")
    mistaken = [is_refusal(line) for line in openings if line]
    splits: tuple[Split, ...] = ("train", "dev", "test")
    result = {
        **provenance(torch.device("cpu"), seed=0),
        "note": "the rules were written with the train split and the compliant openings in view; dev and test are held out",
        "compliance_mistaken": asdict(Rate.of(sum(mistaken), len(mistaken))),
        "splits": {split: refusal_rule_errors(split) for split in splits},
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
