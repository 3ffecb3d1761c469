"""`python -m casa.evaluation.tables`: writes the tables of README.md and docs/ anew from the files in results/."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Result = dict[str, Any]

KIND_NAMES = {
    "malicious": "plain malicious",
    "jailbroken": "malicious in an unseen jailbreak framing",
    "benign": "benign",
    "lookalike": "benign look-alike",
    "framed_benign": "benign in the same unseen framings",
}


def percent(rate: dict[str, float]) -> str:
    """A rate with its interval, in per cent."""
    return f"{100 * rate['rate']:.1f} ({100 * rate['low']:.1f}-{100 * rate['high']:.1f})"


def text_table(result: Result) -> str:
    """What happens to each kind of prompt, before and after CASA."""
    lines = [
        "| prompts | n | called unsafe % | attack success % before | after | refused % before | after |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, name in KIND_NAMES.items():
        cells = [name, str(result["queries"][kind]), percent(result["flagged_unsafe"][kind])]
        attack, refused = result["attack_success"].get(kind), result["refused"].get(kind)
        cells += [percent(attack["before"]), percent(attack["after"])] if attack else ["", ""]
        cells += [percent(refused["before"]), percent(refused["after"])] if refused else ["", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", source_line(result)])


def separation_table(result: Result) -> str:
    """AUROC of the verdict and of v_s alone."""
    lines = ["| contrast | AUROC of p_unsafe | AUROC of v_s alone |", "|---|---|---|"]
    for contrast, areas in result["auroc"].items():
        shown = (f"{a['value']:.3f} ({a['low']:.3f}-{a['high']:.3f})" for a in (areas["p_unsafe"], areas["v_s"]))
        lines.append(f"| {contrast.replace('_', ' ')} | {' | '.join(shown)} |")
    return "\n".join(lines)


def follows_table(result: Result) -> str:
    """Refusals after each forced safety token: does the answer follow the token?"""
    lines = ["| forced token | refused % of malicious | refused % of benign |", "|---|---|---|"]
    for token, rates in result["refused_after_forced_token"].items():
        lines.append(f"| {token} | {percent(rates['malicious'])} | {percent(rates['benign'])} |")
    return "\n".join(lines)


def training_table(result: Result) -> str:
    """Examples, steps and throughput of the training run."""
    speed, examples = result["throughput"], result["examples"]
    return "\n".join(
        [
            "| malicious examples | benign examples | steps | examples/s | tokens/s |",
            "|---|---|---|---|---|",
            f"| {examples['malicious']} | {examples['benign']} | {result['steps']} | "
            f"{speed['examples_per_second']:.2f} | {speed['tokens_per_second']:.0f} |",
            "",
            source_line(result),
        ]
    )


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


def source_line(result: Result) -> str:
    """The command, commit, seed, machine and split behind a table."""
    split = f"{result['split']} split, " if "split" in result else ""
    return (
        f"<sub>{split}`{result['command']}`, commit {result['commit'][:10]}, seed {result['seed']}, "
        f"{result['environment']['machine']}; 95 % intervals</sub>"
    )


TABLES: dict[str, tuple[str, Callable[[Result], str]]] = {
    "nano_text": ("nano_text.json", text_table),
    "nano_text_auroc": ("nano_text.json", separation_table),
    "nano_text_follows": ("nano_text.json", follows_table),
    "nano_training": ("nano_training.json", training_table),
    "refusal_rules": ("refusal_rules.json", judge_line),
}


def with_tables(text: str, results: Path) -> str:
    """The text with every `<!-- table: NAME -->` ... `<!-- end -->` block made anew."""

    def table(match: re.Match[str]) -> str:
        file, render = TABLES[match[1]]
        result = json.loads((results / file).read_text(encoding="utf-8"))
        return f"<!-- table: {match[1]} -->\n{render(result)}\n<!-- end -->"

    return re.sub(r"<!-- table: (\w+) -->\n.*?<!-- end -->", table, text, flags=re.DOTALL)


def main() -> None:
    """Entry; run it in the repository's root."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", type=Path, nargs="*", default=[Path("README.md"), Path("docs/results.md")])
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args()
    for page in options.pages:
        page.write_text(with_tables(page.read_text(encoding="utf-8"), options.results), encoding="utf-8")
        print(f"wrote {page}")


if __name__ == "__main__":
    main()
