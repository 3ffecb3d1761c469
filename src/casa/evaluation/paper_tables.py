"""Tables of CASA and its rivals."""

from __future__ import annotations

from typing import Any

from casa.evaluation.table_parts import KIND_NAMES, Result, header, percent, source_line

_LONGEST = 40  # characters of a choice


def paper_table(result: Result) -> str:
    """A row a defence: attack success, over-refusal, utility, what it costs."""
    defences = result["defences"]
    first = next(iter(defences.values()))
    attacked, harmless = list(first["attack_success"]), list(first["refused"])
    lines = header(
        *("defence", "method", *(f"{_name(kind)}: success %" for kind in attacked)),
        *(f"{_name(kind)}: refused %" for kind in harmless),
        *("ROUGE-L, benign", "AUROC, benign", "AUROC, look-alike", "first token ms"),
    )
    for name, found in defences.items():
        cells = [name, f"`{found['method']}`", *(percent(found["attack_success"][kind]) for kind in attacked)]
        cells += [percent(found["refused"][kind]) for kind in harmless]
        cells += [
            f"{found['utility']['benign']['rouge_l']:.3f}",
            _area(found["auroc"]),
            _area(found["auroc_lookalike"]),
        ]
        lines.append(f"| {' | '.join([*cells, str(round(found['first_token_ms']['median']))])} |")
    return "\n".join([*lines, "", source_line(result)])


def unrefused_table(result: Result) -> str:
    """What is no refusal, language or not, and how much of that is no language: a broken circuit does not refuse either."""
    defences = result["defences"]
    kinds = list(next(iter(defences.values()))["unrefused"])
    lines = header(
        *("defence", *(f"{_name(kind)}: not refused %" for kind in kinds)),
        *(f"no language, of what does not refuse {kind} requests %" for kind in ("harmful", "harmless")),
    )
    for name, found in defences.items():
        cells = [name, *(percent(found["unrefused"][kind]) for kind in kinds)]
        cells += [percent(rate) if rate else "" for rate in found["collapsed"].values()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", source_line(result)])


def paired_table(result: Result) -> str:
    """McNemar's exact test of each defence against CASA on the same conversations: which refused what the other did not."""
    paired = {name: p for name, found in result["defences"].items() if (p := found["refused_against_casa"])}
    kinds = list(next(iter(paired.values()), {}))
    lines = header("defence", *(f"{_name(kind)}: only CASA refused / only it, p" for kind in kinds))
    for name, tests in paired.items():
        cells = [
            f"{tests[kind]['only_first']} / {tests[kind]['only_second']}, {tests[kind]['p']:.2g}" for kind in kinds
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", source_line(result)])


def seeds_table(result: Result) -> str:
    """Trained methods over their seeds: mean and standard deviation of each figure."""
    found = result["seeds"]
    first: dict[str, Any] = next(iter(found.values()), {"attack_success": {}, "refused": {}})
    lines = header(
        *(
            "method",
            "seeds",
            "mean attack success %",
            *(f"{_name(kind)}: success %" for kind in first["attack_success"]),
        ),
        *(f"{_name(kind)}: refused %" for kind in first["refused"]),
        *("ROUGE-L, benign", "AUROC, benign"),
    )
    for name, figures in found.items():
        cells = [name, str(len(figures["runs"])), _spread(figures["mean_attack_success"], 100)]
        cells += [
            _spread(figures[field][kind], 100) for field in ("attack_success", "refused") for kind in first[field]
        ]
        cells += [_spread(figures["rouge_l"]["benign"]), _spread(figures["auroc"]) if "auroc" in figures else ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(
        [*lines, "", "<sub>mean ± standard deviation over seeds</sub>", "", source_line(result, intervals=False)]
    )


def ablation_table(result: Result) -> str:
    """A row a run and safety prompt: what was chosen, attack success, over-refusal."""
    first = result["rows"][0]
    lines = header(
        *("run", "safety attention", "safety prompt", *(f"`{name}`" for name in first["choices"])),
        *("mean attack success %", *(f"{_name(kind)}: success %" for kind in first["attack_success"])),
        *(f"{_name(kind)}: refused %" for kind in first["refused"]),
        *("AUROC, benign", "AUROC, look-alike"),
    )
    for row in result["rows"]:
        yes = [("yes" if row[name] else "no") for name in ("safety_attention", "safety_prompt")]
        cells = [row["run"], *yes, *(_short(value) for value in row["choices"].values())]
        rates = [rate["rate"] for rate in row["attack_success"].values()]
        cells += [f"{100 * sum(rates) / len(rates):.1f}", *(percent(rate) for rate in row["attack_success"].values())]
        cells += [percent(rate) for rate in row["refused"].values()]
        lines.append(f"| {' | '.join([*cells, _area(row['auroc']), _area(row['auroc_lookalike'])])} |")
    return "\n".join([*lines, "", source_line(result)])


def _spread(found: dict[str, float], scale: float = 1) -> str:
    digits = 1 if scale == 100 else 3
    return f"{scale * found['mean']:.{digits}f} ± {scale * found['sd']:.{digits}f}"


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _name(kind: str) -> str:
    return KIND_NAMES.get(kind, kind)


def _area(found: dict[str, Any] | None) -> str:
    return f"{found['value']:.3f}" if found else ""
