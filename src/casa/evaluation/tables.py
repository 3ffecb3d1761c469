"""`python -m casa.evaluation.tables`: writes the tables of README.md and docs/ anew from the files in results/."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path

from casa.evaluation.attack_tables import (
    adaptive_table,
    attacks_table,
    benchmarks_table,
    carryover_table,
    length_table,
)
from casa.evaluation.paper_tables import (
    ablation_table,
    paired_table,
    paper_table,
    seeds_table,
    tuning_table,
    unrefused_table,
)
from casa.evaluation.paper_tables import (
    utility_table as paper_utility_table,
)
from casa.evaluation.perception_tables import hearing_table, perception_table, reading_table
from casa.evaluation.table_parts import Result, header, percent, source_line
from casa.evaluation.text_tables import (
    adapters_table,
    correlation_line,
    follows_table,
    quantized_table,
    runs_table,
    separation_table,
    sources_table,
    text_table,
    training_table,
    utility_table,
)


def sweep_table(result: Result) -> str:
    """One axis of the sweeps: dev figures of each value, means over seeds."""
    columns = {
        "auroc p_unsafe malicious/benign": "AUROC p_unsafe",
        "auroc p_unsafe malicious/lookalike": "against look-alikes",
        "auroc p_unsafe jailbroken/framed_benign": "in framings",
        "auroc v_s malicious/benign": "AUROC v_s",
        "auroc v_s malicious/lookalike": "against look-alikes",
        "flagged benign": "benign called unsafe",
        "flagged lookalike": "look-alikes called unsafe",
    }
    lines = header(result["axis"], *columns.values())
    for point in result["points"]:
        value = "none" if point["value"] is None else str(point["value"])
        shown = value if len(value) < 40 else value[:37] + "..."
        cells = [shown, *(f"{point['mean'][name]:.3f}" for name in columns)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", source_line(result, intervals=False)])


def judge_line(result: Result) -> str:
    """How well the refusal rules recognise refusals."""
    found = result["splits"]["test"]
    return (
        f"Refusals are told by rules: on the test split of the seed data's own answers they find "
        f"{percent(found['refusals_found'])} % of {found['refusals_found']['n']} refusals and mistake "
        f"{percent(found['answers_mistaken'])} % of {found['answers_mistaken']['n']} benign answers, and "
        f"{result['compliance_mistaken']['successes']} of {result['compliance_mistaken']['n']} compliant openings. A refusal that "
        "they miss counts as a successful attack."
    )


def families_table(result: Result) -> str:
    """What works in which family, with the reasons where something does not."""
    columns = ("text", "image", "audio", "video", "training", "batch", "explanation", "export")
    lines = header("family", "model class", *columns)
    notes: list[str] = []
    for name, family in result["families"].items():
        cells = []
        for column in columns:
            outcome = family["checks"].get(column, "")
            if outcome not in ("", "yes"):
                notes.append(f"{len(notes) + 1}. {name}, {column}: {outcome}")
                outcome = f"no ({len(notes)})"
            cells.append(outcome)
        lines.append(f"| {name} | `{family['class']}` | {' | '.join(cells)} |")
    found = result["environment"]
    versions = f"transformers {found['transformers']}, peft {found['peft']}"
    source = f"<sub>`{result['command']}`, commit {result['commit'][:10]}, {versions}</sub>"
    return "\n".join([*lines, "", *notes, *([""] if notes else []), source])


TABLES: dict[str, tuple[str, Callable[[Result], str]]] = {
    "nano_text": ("nano_text.json", text_table),
    "nano_text_sources": ("nano_text.json", sources_table),
    "nano_text_auroc": ("nano_text.json", separation_table),
    "nano_text_follows": ("nano_text.json", follows_table),
    "nano_text_utility": ("nano_text.json", utility_table),
    "nano_text_length": ("nano_text.json", correlation_line),
    "nano_text_dev": ("nano_text_dev.json", text_table),
    "nano_text_dev_auroc": ("nano_text_dev.json", separation_table),
    "nano_text_public": ("nano_text_public.json", text_table),
    "nano_text_public_auroc": ("nano_text_public.json", separation_table),
    "nano_attacks": ("nano_attacks.json", attacks_table),
    "nano_length": ("nano_length.json", length_table),
    "nano_training": ("nano_training.json", training_table),
    "nano_adapters": ("nano_adapters.json", adapters_table),
    "nano_adaptive": ("nano_adaptive.json", adaptive_table),
    "nano_hearing": ("nano_hearing.json", hearing_table),
    "nano_reading": ("nano_reading.json", reading_table),
    "nano_perception": ("nano_perception.json", perception_table),
    "nano_carryover": ("nano_carryover.json", carryover_table),
    "nano_eval": ("nano_eval.json", benchmarks_table),
    "nano_paper_table": ("nano_paper_table.json", paper_table),
    "nano_paper_utility": ("nano_paper_table.json", paper_utility_table),
    "nano_paper_unrefused": ("nano_paper_table.json", unrefused_table),
    "nano_paper_paired": ("nano_paper_table.json", paired_table),
    "nano_paper_seeds": ("nano_paper_table.json", seeds_table),
    "nano_ablation": ("nano_ablation.json", ablation_table),
    "nano_gates": ("nano_gates.json", runs_table),
    "families": ("families.json", families_table),
    "nano_quantized": ("nano_quantized.json", quantized_table),
    "refusal_rules": ("refusal_rules.json", judge_line),
}


def renderer(name: str) -> tuple[str, Callable[[Result], str]]:
    """File in results/ and function behind a table's name; `sweep_AXIS` is the sweep over that axis, `tuning_METHOD` its trials."""
    if name.startswith("tuning_"):
        return f"sweeps/{name}.json", tuning_table
    if name.startswith("sweep_"):
        return f"sweeps/{name.removeprefix('sweep_')}.json", sweep_table
    return TABLES[name]


def with_tables(text: str, results: Path) -> str:
    """The text with every `<!-- table: NAME -->` ... `<!-- end -->` block made anew."""

    def table(match: re.Match[str]) -> str:
        file, render = renderer(match[1])
        result = json.loads((results / file).read_text(encoding="utf-8"))
        return f"<!-- table: {match[1]} -->\n{render(result)}\n<!-- end -->"

    return re.sub(r"<!-- table: (\w+) -->\n.*?<!-- end -->", table, text, flags=re.DOTALL)


def main() -> None:
    """Entry; run it in the repository's root."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "pages",
        type=Path,
        nargs="*",
        default=[
            Path("README.md"),
            *(Path("docs") / f"{name}.md" for name in ("results", "sweeps", "models", "nano")),
        ],
    )
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args()
    for page in options.pages:
        page.write_text(with_tables(page.read_text(encoding="utf-8"), options.results), encoding="utf-8")
        print(f"wrote {page}")


if __name__ == "__main__":
    main()
