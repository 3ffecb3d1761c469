"""Tables of attacks and benchmarks."""

from __future__ import annotations

from casa.evaluation.table_parts import Result, header, percent, source_line

_NONE = "none"  # of the items could be told
_OPPOSITES = {"rate": "rate", "low": "high", "high": "low"}


def attacks_table(result: Result) -> str:
    """Every attack: verdicts, attack success, and what the same does to benign queries."""
    lines = header(
        *("attack", "malicious called unsafe %", "attack success % before", "after"),
        *("benign called unsafe %", "benign refused % before", "after"),
    )
    for name, found in result["attacks"].items():
        flagged, success, refused = found["flagged_unsafe"], found["attack_success"], found["refused_benign"]
        rates = [flagged["malicious"], success["before"], success["after"]]
        rates += [flagged["benign"], refused["before"], refused["after"]]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(map(percent, rates))} |")
    n = result["attacks"]["none"]["attack_success"]["before"]["n"]
    return "\n".join(
        [*lines, "", f"<sub>{n} malicious and as many benign queries an attack</sub>", "", source_line(result)]
    )


def length_table(result: Result) -> str:
    """Verdicts by the length of the harmless text round a query."""
    lines = header(
        *("tokens of harmless text", "queries of each class", "malicious called unsafe %", "benign called unsafe %"),
        *("mean v_s malicious", "benign"),
    )
    for tokens, point in result["lengths"].items():
        malicious, benign = point["malicious"], point["benign"]
        rates = f"{percent(malicious['flagged_unsafe'])} | {percent(benign['flagged_unsafe'])}"
        risks = f"{malicious['mean_v_s']:.2f} | {benign['mean_v_s']:.2f}"
        lines.append(f"| {tokens} | {malicious['flagged_unsafe']['n']} | {rates} | {risks} |")
    return "\n".join([*lines, "", source_line(result)])


def adaptive_table(result: Result) -> str:
    """How many malicious queries a white-box suffix gets past a defence, by steps; without `past`, past its verdict only."""
    points = [p for p in result["curve"] if p["step"] in (0, 1, 2, 5, 10, 15, 20) or p is result["curve"][-1]]
    lines = header("exchanged tokens, at most", "n", f"{result.get('past', 'verdict safe')} %")
    lines += [f"| {p['step']} | {p['broken']['n']} | {percent(p['broken'])} |" for p in points]
    success = f"In the end {percent(result['attack_success'])} % of the queries are answered."
    return "\n".join([*lines, "", success, "", source_line(result)])


def benchmarks_table(result: Result) -> str:
    """Every benchmark's mini set: attack success or refusals, without and with CASA, and what is called unsafe."""
    lines = header(
        "mini set", "items", "n", "attack success % before", "after", "refused % before", "after", "unsafe %"
    )
    for entry in (e for e in result["benchmarks"] if e["attack"] == "all"):
        rates = [_complied(entry[side], entry["harmful"]) for side in ("before", "after")]
        cells = [*rates, "", ""] if entry["harmful"] else ["", "", *rates]
        items, after = "harmful" if entry["harmful"] else "harmless", entry["after"]
        n = (after["complied"]["n"] if after["complied"] else 0) + after["unscored"]
        flagged = percent(after["flagged"]) if after["flagged"] else _NONE
        lines.append(f"| {entry['benchmark']} | {items} | {n} | {' | '.join(cells)} | {flagged} |")
    skipped = ", ".join(f"{name} ({why})" for name, why in result["skipped"].items())
    left_out = [f"Left out: {skipped}.", ""] if skipped else []
    return "\n".join([*lines, "", *left_out, source_line(result)])


def _complied(found: Result, harmful: bool) -> str:
    """Attack success, or refusals of harmless items."""
    rate = found["complied"]
    if rate is None:
        return _NONE
    return percent(rate if harmful else {name: 1 - rate[other] for name, other in _OPPOSITES.items()})


def carryover_table(result: Result) -> str:
    """Every form in which a query reaches the model: attack success, and what the same does to benign queries."""
    lines = header(
        *("form", "attack success % before", "after", "malicious called unsafe %", "benign called unsafe %"),
        *("benign refused % before", "after", "AUROC of p_unsafe", "AUROC of v_s alone"),
    )
    for name, found in result["forms"].items():
        success, flagged, refused = found["attack_success"], found["flagged_unsafe"], found["refused_benign"]
        rates = [success["before"], success["after"], flagged["malicious"], flagged["benign"]]
        rates += [refused["before"], refused["after"]]
        areas = " | ".join(f"{found['auroc'][score]['value']:.3f}" for score in ("p_unsafe", "risk"))
        lines.append(f"| {name} | {' | '.join(map(percent, rates))} | {areas} |")
    return "\n".join([*lines, "", source_line(result)])
