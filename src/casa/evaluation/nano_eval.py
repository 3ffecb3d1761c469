"""`python -m casa.evaluation.nano_eval`: every benchmark's mini set on casa-nano, without and with CASA.

Needs no download. The logs go to runs/nano_eval (`casa report runs/nano_eval` makes a page of them), the rates to
results/nano_eval.json. Interrupted, the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from casa.evaluation.measurement import write_result
from casa.evaluation.suite import suite_of
from casa.evaluation.summary import Row, answered, rows


def rates_by_benchmark(found: list[Row], defended: str) -> list[dict[str, Any]]:
    """One entry for the harmful and one for the harmless items of each benchmark and attack.

    Args:
        found: rows of both models.
        defended: name of the one with CASA; the other is the same without.
    """
    entries: dict[tuple[str, str, bool], dict[str, Any]] = {}
    for row in found:
        key = (row.benchmark, row.attack, row.harmful)
        entry = entries.setdefault(key, dict(zip(("benchmark", "attack", "harmful"), key, strict=True)))
        entry["after" if row.model == defended else "before"] = {
            "complied": asdict(row.complied) if row.complied else None,
            "flagged": asdict(row.flagged) if row.flagged else None,
            "unscored": row.unscored,
        }
    return list(entries.values())


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="casa-nano", help="casa-nano or a CASA folder")
    parser.add_argument("--benchmark", nargs="*", default=[], help="which; all if none is given")
    parser.add_argument(
        "--queries", type=int, default=10, help="held-out queries of each kind that mini sets are made of"
    )
    parser.add_argument("--max-new-tokens", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--logs", type=Path, default=Path("runs/nano_eval"))
    parser.add_argument("--out", type=Path, default=Path("results/nano_eval.json"))
    parser.set_defaults(split="test", seed=0)  # what mini sets are made from
    options = parser.parse_args()

    suite = suite_of(
        *(options.model, [], options.benchmark),
        data={},
        queries=options.queries,
        limit=None,
        max_tokens=options.max_new_tokens,
        batch_size=options.batch_size,
    )
    skipped = {planned.benchmark: planned.skipped for planned in suite.plan() if planned.skipped}
    entries = rates_by_benchmark(rows(list(answered(suite.run(options.logs)))), suite.models[0])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    settings = {"queries": options.queries, "max_new_tokens": options.max_new_tokens}
    write_result(options, device, {**settings, "skipped": skipped, "benchmarks": entries})


if __name__ == "__main__":
    main()
