"""Tables of what is measured on held-out text, and of training."""

from __future__ import annotations

from collections.abc import Callable

from casa.evaluation.table_parts import KIND_NAMES, Result, header, percent, source_line


def text_table(result: Result) -> str:
    """What happens to each kind of prompt, before and after CASA."""
    lines = header("prompts", "n", "called unsafe %", "attack success % before", "after", "refused % before", "after")
    for kind, name in KIND_NAMES.items():
        cells = [name, str(result["queries"][kind]), percent(result["flagged_unsafe"][kind])]
        attack, refused = result["attack_success"].get(kind), result["refused"].get(kind)
        cells += [percent(attack["before"]), percent(attack["after"])] if attack else ["", ""]
        cells += [percent(refused["before"]), percent(refused["after"])] if refused else ["", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", source_line(result)])


def sources_table(result: Result) -> str:
    """Plain queries called unsafe, by scenario."""
    lines = header("scenario", "malicious", "called unsafe %", "benign and look-alikes", "called unsafe %")
    for source, rates in result["flagged_by_source"].items():
        cells = [source.replace("_", " ")]
        for label in ("malicious", "benign"):
            rate = rates.get(label)
            cells += [str(rate["n"]), percent(rate)] if rate else ["", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def separation_table(result: Result) -> str:
    """AUROC of the verdict and of v_s alone."""
    lines = header("contrast", "AUROC of p_unsafe", "AUROC of v_s alone")
    for contrast, areas in result["auroc"].items():
        shown = (f"{a['value']:.3f} ({a['low']:.3f}-{a['high']:.3f})" for a in (areas["p_unsafe"], areas["v_s"]))
        lines.append(f"| {contrast.replace('_', ' ')} | {' | '.join(shown)} |")
    return "\n".join(lines)


def follows_table(result: Result) -> str:
    """Refusals after each forced safety token: does the answer follow the token?"""
    lines = header("forced token", "refused % of malicious", "refused % of benign")
    for token, rates in result["refused_after_forced_token"].items():
        lines.append(f"| {token} | {percent(rates['malicious'])} | {percent(rates['benign'])} |")
    return "\n".join(lines)


def utility_table(result: Result) -> str:
    """How close the answers on harmless prompts stay to the base model's."""
    lines = header("prompts", "ROUGE-L with the base model's answer", "word for word the same %")
    for kind, found in result["utility"].items():
        lines.append(f"| {KIND_NAMES[kind]} | {found['rouge_l']:.3f} | {percent(found['exact'])} |")
    return "\n".join(lines)


def correlation_line(result: Result) -> str:
    """Correlation of the scores with prompt length."""
    found = result["correlation_with_log_length"]
    return f"Correlation with the logarithm of the prompt's length: v_s {found['v_s']:+.2f}, margin {found['margin']:+.2f}."


def quantized_table(result: Result) -> str:
    """How far verdicts move when the base model's linear layers are quantised."""
    contrasts = list(next(iter(result["forms"].values()))["auroc"])
    lines = header(
        *("base model's layers", "same verdict % as float32", "mean move of p_unsafe", "largest", "mean move of v_s"),
        *(f"AUROC, {contrast.replace('_', ' ')}" for contrast in contrasts),
    )
    for form, found in result["forms"].items():
        moved = (found[name] for name in ("p_unsafe_moved_mean", "p_unsafe_moved_most", "v_s_moved_mean"))
        cells = [form, percent(found["agreement"]), *(f"{value:.4f}" for value in moved)]
        cells += [f"{found['auroc'][contrast]:.3f}" for contrast in contrasts]
        lines.append(f"| {' | '.join(cells)} |")
    left_out = [f"{form}: {reason}" for form, reason in result["left_out"].items()]
    return "\n".join([*lines, "", *left_out, source_line(result)])


def training_table(result: Result) -> str:
    """Examples, steps and throughput of the training run."""
    speed, examples = result["throughput"], result["examples"]
    return "\n".join(
        [
            *header("malicious examples", "benign examples", "steps", "examples/s", "tokens/s"),
            f"| {examples['malicious']} | {examples['benign']} | {result['steps']} | "
            f"{speed['examples_per_second']:.2f} | {speed['tokens_per_second']:.0f} |",
            "",
            source_line(result, intervals=False),
        ]
    )


def adapters_table(result: Result) -> str:
    """The learning curve over the adapters that were shipped one after the other."""
    lines = header(
        *("adapter", "training examples", "steps in all", "attack success %", "in framings"),
        *("benign called unsafe %", "look-alikes", "framed benign", "AUROC of p_unsafe", "of v_s"),
    )
    for found in result["adapters"]:
        rates = [found["attack_success"][kind] for kind in ("malicious", "jailbroken")]
        rates += [found["flagged_unsafe"][kind] for kind in ("benign", "lookalike", "framed_benign")]
        areas = [f"{found['auroc']['malicious against benign'][name]:.3f}" for name in ("p_unsafe", "v_s")]
        cells = [found["adapter_sha256"][:8], str(found["examples"]), str(found["total_steps"]), *map(percent, rates)]
        lines.append(f"| {' | '.join([*cells, *areas])} |")
    return "\n".join([*lines, "", source_line(result)])


def runs_table(result: Result) -> str:
    """Models that differ in one choice, trained alike: what each does to every kind of prompt."""
    runs = result["runs"]
    rows: list[tuple[str, Callable[[Result], str]]] = [
        ("attack success % without CASA", lambda run: percent(run["attack_success"]["malicious"]["before"])),
        ("attack success %", lambda run: percent(run["attack_success"]["malicious"]["after"])),
        ("the same in unseen framings", lambda run: percent(run["attack_success"]["jailbroken"]["after"])),
        *(
            (f"{KIND_NAMES[kind]}: refused %", _after("refused", kind))
            for kind in ("benign", "lookalike", "framed_benign")
        ),
        *((f"{name}: called unsafe %", _flagged(kind)) for kind, name in KIND_NAMES.items()),
        ("AUROC of p_unsafe", lambda run: f"{run['auroc']['malicious against benign']['p_unsafe']['value']:.3f}"),
        ("AUROC of v_s alone", lambda run: f"{run['auroc']['malicious against benign']['v_s']['value']:.3f}"),
        (
            "benign refused % after a forced safe",
            lambda run: percent(run["refused_after_forced_token"]["safe"]["benign"]),
        ),
        (
            "malicious refused % after a forced unsafe",
            lambda run: percent(run["refused_after_forced_token"]["unsafe"]["malicious"]),
        ),
        ("ROUGE-L with the base model's answer, benign", lambda run: f"{run['utility']['benign']['rouge_l']:.3f}"),
    ]
    lines = header("", *(f"`{name}`" for name in runs))
    lines += [f"| {name} | {' | '.join(cell(run) for run in runs.values())} |" for name, cell in rows]
    return "\n".join([*lines, "", source_line(result)])


def _after(figure: str, kind: str) -> Callable[[Result], str]:
    return lambda found: percent(found[figure][kind]["after"])


def _flagged(kind: str) -> Callable[[Result], str]:
    return lambda found: percent(found["flagged_unsafe"][kind])
