"""`python -m casa.evaluation.nano_eval`: every benchmark's mini set on casa-nano, without and with CASA.

Needs no download. It reads the logs that `casa eval nano --suite offline` left in runs/eval, and runs what is not there yet; the
rates, and what that command measured inside the model, go to results/nano_eval.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from casa.evaluation.logs import MEASURED
from casa.evaluation.measurement import model_fields, write_result
from casa.evaluation.presets import OFFLINE
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


def measured_inside(source: str, logs: Path) -> dict[str, Any]:
    """What was measured inside this very model, by the name of its file."""
    own, found = model_fields(source), {}
    for path in sorted((logs / MEASURED).glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if own.items() <= result.items():
            found[path.stem] = result
    return found


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="casa-nano", help="casa-nano or a CASA folder")
    parser.add_argument("--benchmark", nargs="*", default=[], help="which; all if none is given")
    parser.add_argument(
        "--queries", type=int, default=OFFLINE.queries, help="held-out queries of each kind that mini sets are made of"
    )
    parser.add_argument("--max-new-tokens", type=int, default=OFFLINE.max_tokens)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--logs", type=Path, default=Path("runs/eval"))
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
    found = {"skipped": skipped, "benchmarks": entries, "inside": measured_inside(options.model, options.logs)}
    write_result(options, device, {**settings, **found})


if __name__ == "__main__":
    main()
