"""Tables of CASA and its rivals."""

from __future__ import annotations

from typing import Any

from casa.evaluation.table_parts import KIND_NAMES, Result, header, percent, source_line

_LONGEST = 40  # characters of a choice
_OTHER_HARMLESS = ("lookalike", "framed_benign")  # beside the benign queries that are asked in every medium


def paper_table(result: Result) -> str:
    """A row a defence: attack success, refusals of harmless queries by medium, what it costs; utility has a table of its own."""
    defences = result["defences"]
    first = next(iter(defences.values()))
    attacked, media = list(first["attack_success"]), list(first["refused_by_medium"])
    lines = header(
        *("defence", "method", "training", "mean success %", *(f"{_name(kind)}: success %" for kind in attacked)),
        *(f"benign, {medium}: refused %" for medium in media),
        *(f"{_name(kind)}: refused %" for kind in _OTHER_HARMLESS),
        *("AUROC, benign", "AUROC, look-alike", *(f"first token ms, {medium}" for medium in media)),
    )
    for name, found in defences.items():
        cells = [name, f"`{found['method']}`", _training(found["training"]), _mean(found["mean_attack_success"])]
        cells += [percent(found["attack_success"][kind]) for kind in attacked]
        cells += [_mean(found["refused_by_medium"][medium]) for medium in media]
        cells += [percent(found["refused"][kind]) for kind in _OTHER_HARMLESS]
        cells += [_area(found["auroc"]), _area(found["auroc_lookalike"])]
        cells += [str(round(found["first_token_ms"][medium]["median"])) for medium in media]
        lines.append(f"| {' | '.join(cells)} |")
    columns = f"<sub>mean success: of the columns {', '.join(result['mean_columns'])}; queries resampled</sub>"
    return "\n".join([*lines, "", columns, "", source_line(result)])


def _training(found: dict[str, Any] | None) -> str:
    if found is None:
        return "as shipped, with a budget of its own"
    return f"{found['steps']} steps, seed {found['seed']}" if found["steps"] else ""


def utility_table(result: Result) -> str:
    """Utility by medium, and of CASA's runs the distance to SSFT of the same seed on the same prompts."""
    defences = result["defences"]
    media = list(next(iter(defences.values()))["utility"]["rouge_l"])
    lines = header(
        *("defence", *(f"ROUGE-L, {medium}" for medium in media), "scene questions right %", "against"),
        *(f"ROUGE-L above SSFT's, {medium}" for medium in media),
        "right: only it / only SSFT, p",
    )
    for name, found in defences.items():
        utility, against = found["utility"], found["against_ssft"]
        cells = [name, *(_interval(utility["rouge_l"][medium]) for medium in media)]
        cells.append(percent(utility["right"]) if utility["right"] else "")
        cells += _above_ssft(against, media) if against else [""] * (len(media) + 2)
        lines.append(f"| {' | '.join(cells)} |")
    about = "<sub>ROUGE-L: with the undefended model's own answers to benign queries; queries resampled</sub>"
    return "\n".join([*lines, "", about, "", source_line(result)])


def _above_ssft(against: dict[str, Any], media: list[str]) -> list[str]:
    cells = [against["run"], *(_interval(against["rouge_l"][medium]) for medium in media)]
    right = against["right"]
    return [*cells, f"{right['only_first']} / {right['only_second']}, {right['p']:.2g}" if right else ""]


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
    """Each defence against the run of CASA with its seed, on the same conversations.

    How much higher its mean attack success is, and McNemar's exact test: which refused what the other did not.
    """
    paired = {name: p for name, found in result["defences"].items() if (p := found["against_casa"])}
    kinds = list(next(iter(paired.values()), {"refused": {}})["refused"])
    lines = header(
        *("defence", "against", "mean success above CASA's, points"),
        *(f"{_name(kind)}: only CASA refused / only it, p" for kind in kinds),
    )
    for name, tests in paired.items():
        cells = [name, tests["run"], _mean(tests["mean_attack_success"])]
        refused = [tests["refused"][kind] for kind in kinds]
        cells += [f"{test['only_first']} / {test['only_second']}, {test['p']:.2g}" for test in refused]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", source_line(result)])


def seeds_table(result: Result) -> str:
    """Trained methods over their seeds: mean and standard deviation of each figure."""
    found = result["seeds"]
    first: dict[str, Any] = next(iter(found.values()), {"attack_success": {}, "refused_by_medium": {}})
    lines = header(
        *("method", "seeds", "mean success %", "above CASA's of the same seed, points"),
        *(f"{_name(kind)}: success %" for kind in first["attack_success"]),
        *(f"benign, {medium}: refused %" for medium in first["refused_by_medium"]),
        *(f"{_name(kind)}: refused %" for kind in _OTHER_HARMLESS),
        *("malicious called unsafe %", "benign", "look-alikes", "AUROC, benign", "scene questions right %"),
        *(f"{figure}, {medium}" for figure in ("ROUGE-L", "first token ms") for medium in first["refused_by_medium"]),
    )
    for name, figures in found.items():
        flagged = figures.get("flagged_unsafe", {})
        cells = [name, str(len(figures["runs"])), _points(figures["mean_attack_success"])]
        cells.append(_points(figures.get("mean_attack_success_above_casa")))
        cells += [
            _points(spread) for field in ("attack_success", "refused_by_medium") for spread in figures[field].values()
        ]
        cells += [_points(figures["refused"][kind]) for kind in _OTHER_HARMLESS]
        cells += [_points(flagged.get(kind)) for kind in ("malicious", "benign", "lookalike")]
        cells += [_spread(figures.get("auroc")), _points(figures.get("right"))]
        cells += [_spread(spread) for spread in figures["rouge_l"].values()]
        cells += [_spread(spread, 1, 0) for spread in figures["first_token_ms"].values()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(
        [*lines, "", "<sub>mean ± standard deviation over seeds</sub>", "", source_line(result, intervals=False)]
    )


def tuning_table(result: Result) -> str:
    """The trials of one method on the dev split, the chosen one marked, below the undefended model."""
    trials = [result["pretrained"], *result["trials"]]
    names = list(dict.fromkeys(name for trial in trials for name in trial["settings"]))
    lines = header(result["method"], *(f"`{name}`" for name in names), "mean success %", "benign not answered %")
    for number, trial in enumerate(trials):
        mark = "chosen" if number and trial["settings"] == result["chosen"] else "" if number else "undefended"
        settings = [_short(trial["settings"].get(name, "")) for name in names]
        shown = _mean(trial["mean_attack_success"]), percent(trial["benign_unanswered"])
        lines.append(f"| {' | '.join([mark, *settings, *shown])} |")
    return "\n".join([*lines, "", source_line(result)])


def ablation_table(result: Result) -> str:
    """A row a run and safety prompt: what was chosen, attack success, over-refusal."""
    first = result["rows"][0]
    lines = header(
        *("run", "safety attention", "safety prompt", *(f"`{name}`" for name in first["choices"])),
        *("mean success %", *(f"{_name(kind)}: success %" for kind in first["attack_success"])),
        *(f"{_name(kind)}: refused %" for kind in first["refused"]),
        *("AUROC, benign", "AUROC, look-alike"),
    )
    for row in result["rows"]:
        yes = [("yes" if row[name] else "no") for name in ("safety_attention", "safety_prompt")]
        cells = [row["run"], *yes, *(_short(value) for value in row["choices"].values())]
        cells += [_mean(row["mean_attack_success"]), *(percent(rate) for rate in row["attack_success"].values())]
        cells += [percent(rate) for rate in row["refused"].values()]
        lines.append(f"| {' | '.join([*cells, _area(row['auroc']), _area(row['auroc_lookalike'])])} |")
    return "\n".join([*lines, "", source_line(result)])


def _points(found: dict[str, float] | None) -> str:
    return _spread(found, 100, 1)


def _spread(found: dict[str, float] | None, scale: float = 1, digits: int = 3) -> str:
    """Mean and standard deviation over seeds; empty where there are none."""
    if found is None:
        return ""
    return f"{scale * found['mean']:.{digits}f} ± {scale * found['sd']:.{digits}f}"


def _mean(found: dict[str, float]) -> str:
    """A mean of several columns with its interval, in per cent or points."""
    return f"{100 * found['value']:.1f} ({100 * found['low']:.1f} to {100 * found['high']:.1f})"


def _interval(found: dict[str, float]) -> str:
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _name(kind: str) -> str:
    return KIND_NAMES.get(kind, kind)


def _area(found: dict[str, Any] | None) -> str:
    return f"{found['value']:.3f}" if found else ""
