"""`python -m casa.evaluation.figures`: draws docs/figures/ anew from the files in results/."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from casa.data.held_out import CONTRASTS
from casa.evaluation.table_parts import KIND_NAMES, Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {
    "malicious": "#b2182b",
    "jailbroken": "#ef8a62",
    "benign": "#2166ac",
    "lookalike": "#67a9cf",
    "framed_benign": "#5aae61",
}


def _figure(columns: int = 1, width: float = 5.0) -> tuple[Figure, list[Any]]:
    """A figure without a display, and its axes from left to right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, 3.6), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(1, columns)))
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def roc_figure(result: Result) -> Figure:
    """ROC curves of p_unsafe and of v_s alone."""
    from sklearn.metrics import roc_curve

    figure, axes = _figure(2, 4.4)
    for axis, (score, name) in zip(axes, (("p_unsafe", "p_unsafe"), ("v_s", "v_s alone")), strict=True):
        for harmful, harmless in CONTRASTS:
            above, below = result["scores"][harmful][score], result["scores"][harmless][score]
            fpr, tpr, _ = roc_curve([1] * len(above) + [0] * len(below), above + below)
            area = result["auroc"][f"{harmful} against {harmless}"][score]["value"]
            label = f"{harmful} / {harmless}, {area:.3f}".replace("_", " ")
            axis.plot(fpr, tpr, color=COLOURS[harmless], label=label)
        axis.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        axis.set(xlabel="false positive rate", ylabel="true positive rate", title=name, xlim=(0, 1), ylim=(0, 1.01))
        axis.legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def histogram_figure(result: Result) -> Figure:
    """How v_s is spread over each kind of query."""
    figure, axes = _figure(len(KIND_NAMES), 2.2)
    for axis, kind in zip(axes, KIND_NAMES, strict=True):
        axis.hist(result["scores"][kind]["v_s"], bins=20, range=(0, 1), color=COLOURS[kind])
        axis.set(xlabel="v_s", title=kind.replace("_", " "), xlim=(0, 1), yticks=[])
    return figure


def length_figure(result: Result) -> Figure:
    """Queries called unsafe by the length of the harmless text round them, with their intervals."""
    figure, (axis,) = _figure()
    lengths = [int(tokens) for tokens in result["lengths"]]
    for kind in ("malicious", "benign"):
        rates = [point[kind]["flagged_unsafe"] for point in result["lengths"].values()]
        middle = np.array([rate["rate"] for rate in rates])
        spread = [middle - [rate["low"] for rate in rates], [rate["high"] for rate in rates] - middle]
        axis.errorbar(range(len(lengths)), middle, spread, color=COLOURS[kind], marker="o", capsize=3, label=kind)
    axis.set(xlabel="tokens of harmless text", ylabel="called unsafe", ylim=(-0.03, 1.03))
    axis.set_xticks(range(len(lengths)), [str(n) for n in lengths])
    axis.legend(frameon=False)
    return figure


def states_figure(result: Result) -> Figure:
    """Last-layer states on their first two principal components, without and with CASA."""
    figure, axes = _figure(2, 4.4)
    for axis, (name, plane) in zip(axes, result["states"].items(), strict=True):
        _draw_plane(axis, plane, name)
    axes[0].legend(frameon=False, fontsize=8)
    return figure


def modalities_figure(result: Result) -> Figure:
    """The same of malicious and benign queries, a row without CASA and a row with it, a column a form."""
    from matplotlib.figure import Figure

    forms = result["modalities"]
    figure = Figure(figsize=(3.6 * len(forms), 6.6), layout="constrained")
    grid = figure.subplots(2, len(forms), squeeze=False)
    for column, (form, planes) in enumerate(forms.items()):
        for row, (when, plane) in enumerate(planes.items()):
            grid[row][column].spines[["top", "right"]].set_visible(False)
            _draw_plane(grid[row][column], plane, f"{form}, {when}")
    grid[0][0].legend(frameon=False, fontsize=8)
    return figure


def _draw_plane(axis: Any, plane: Result, title: str) -> None:
    for kind, points in plane["points"].items():
        x, y = np.array(points).T
        axis.scatter(x, y, s=10, alpha=0.7, color=COLOURS[kind], label=kind.replace("_", " "))
    first, second = plane["explained"]
    axis.set(xlabel=f"first component ({first:.0%})", ylabel=f"second ({second:.0%})", title=title)


def prefill_figure(result: Result) -> Figure:
    """Attack success by the tokens of an agreeing answer that are given, without CASA and with it."""
    figure, (axis,) = _figure()
    points = {"0": result["attacks"]["none"]}
    points |= {name.split()[1]: found for name, found in result["attacks"].items() if name.startswith("prefill ")}
    for when, name, colour in (("before", "without CASA", "0.5"), ("after", "with CASA", "#2166ac")):
        rates = [found["attack_success"][when] for found in points.values()]
        middle = np.array([rate["rate"] for rate in rates])
        spread = [middle - [rate["low"] for rate in rates], [rate["high"] for rate in rates] - middle]
        axis.errorbar(range(len(points)), middle, spread, color=colour, marker="o", capsize=3, label=name)
    axis.set(xlabel="given tokens of an agreeing answer", ylabel="attack success", ylim=(-0.03, 1.03))
    axis.set_xticks(range(len(points)), list(points))
    axis.legend(frameon=False)
    return figure


def training_figure(result: Result) -> Figure:
    """v_s of each class over a training run."""
    figure, (axis,) = _figure()
    for kind in ("malicious", "benign"):
        axis.plot(result["steps"], result[f"v_s_{kind}"], color=COLOURS[kind], label=kind)
    axis.set(xlabel="step", ylabel="v_s, mean over batches", ylim=(-0.03, 1.03))
    axis.legend(frameon=False)
    return figure


def noise_figure(result: Result) -> Figure:
    """Verdicts that noise turns safe, by the steps of an attacker with the weights, a curve a bound."""
    figure, axes = _figure(len(result["noise"]), 4.4)
    for axis, (name, found) in zip(axes, result["noise"].items(), strict=True):
        for place, (bound, curve) in enumerate(found["curves"].items()):
            rates = [point["broken"]["rate"] for point in curve]
            colour = str(0.75 - 0.75 * place / len(found["curves"]))
            axis.plot([point["step"] for point in curve], rates, color=colour, label=f"{bound} {found['unit']}")
        axis.set(xlabel="gradient steps", ylabel="verdict safe", ylim=(-0.03, 1.03), title=f"noise on {name}")
        axis.legend(frameon=False, fontsize=8)
    return figure


def attacks_figure(result: Result) -> Figure:
    """Attack success before and after CASA, and refusals of the same on benign queries, by attack."""
    return _before_and_after(result["attacks"])


def carryover_figure(result: Result) -> Figure:
    """The same by form, of which training saw text alone."""
    return _before_and_after(result["forms"])


def _before_and_after(found: dict[str, Result]) -> Figure:
    figure, axes = _figure(2, 5.0)
    names = list(found)
    places = np.arange(len(names))
    for axis, (field, title) in zip(
        axes, (("attack_success", "attack success"), ("refused_benign", "benign queries refused")), strict=True
    ):
        for shift, when, colour in ((0.2, "before", "0.7"), (-0.2, "after", "#2166ac")):
            rates = [one[field][when] for one in found.values()]
            middle = np.array([rate["rate"] for rate in rates])
            spread = [middle - [rate["low"] for rate in rates], [rate["high"] for rate in rates] - middle]
            axis.barh(places + shift, middle, 0.4, xerr=spread, color=colour, ecolor="0.3", capsize=2, label=when)
        axis.set_yticks(places, [name.replace("_", " ") for name in names])
        axis.invert_yaxis()
        axis.set(title=title, xlim=(0, 1))
    axes[1].legend(frameon=False)
    return figure


def learning_curve_figure(result: Result) -> Figure:
    """Dev AUROC by the number of training examples, each seed a point."""
    figure, (axis,) = _figure()
    sizes = [point["value"] for point in result["points"]]
    for harmful, harmless in CONTRASTS:
        name, colour = f"auroc p_unsafe {harmful}/{harmless}", COLOURS[harmless]
        means = [point["mean"][name] for point in result["points"]]
        axis.plot(sizes, means, color=colour, label=f"{harmful} / {harmless}".replace("_", " "))
        for point in result["points"]:
            areas = [run[name] for run in point["runs"]]
            axis.scatter([point["value"]] * len(areas), areas, s=8, color=colour)
    axis.set(xscale="log", xlabel="training examples", ylabel="AUROC of p_unsafe (dev)")
    axis.set_xticks(sizes, [str(n) for n in sizes], minor=False)
    axis.minorticks_off()
    axis.legend(frameon=False, fontsize=8)
    return figure


def hearing_figure(result: Result) -> Figure:
    """Dev error rates of the audio tower over its training, one run after another."""
    curve, red, blue = _whole_curve(result), COLOURS["malicious"], COLOURS["benign"]
    words = [point["eval_word_error_rate"] for point in curve]
    letters = [point["eval_letter_error_rate"] for point in curve]
    lines = {"words of sentences": (words, red, "-"), "letters of spelled words": (letters, blue, "-")}
    return _error_rates_figure(curve, lines, "error rate (dev)")


def reading_figure(result: Result) -> Figure:
    """Dev character error rates of the vision tower over its training, one run after another."""
    curve = _whole_curve(result)
    lines = {
        f"{label}, by {by}": ([point[kind][reading] for point in curve], colour, style)
        for kind, label, colour in (
            ("pages", "pages", COLOURS["malicious"]),
            ("strips", "single lines", COLOURS["benign"]),
        )
        for reading, by, style in (("piece_characters", "pieces", "-"), ("characters", "the character head", ":"))
    }
    return _error_rates_figure(curve, lines, "character error rate (dev)")


def _whole_curve(result: Result) -> list[dict[str, Any]]:
    """The learning curves of all runs that a result tells of, their steps counted through."""
    curve: list[dict[str, Any]] = []
    steps = 0
    for run in (*result.get("runs_before", []), result):
        curve += [{**point, "step": steps + point["step"]} for point in run["curve"]]
        steps += run["steps"]
    return curve


def _error_rates_figure(
    curve: Sequence[dict[str, Any]], lines: dict[str, tuple[list[float], str, str]], ylabel: str
) -> Figure:
    """Error rates at each point of a learning curve: by label, with colour and line style."""
    figure, (axis,) = _figure()
    steps = [point["step"] for point in curve]
    for label, (rates, colour, style) in lines.items():
        axis.plot(steps, rates, style, color=colour, marker=".", label=label)
    axis.set(xlabel="step", ylabel=ylabel, ylim=(0, None))
    axis.legend(frameon=False, fontsize=8)
    return figure


FIGURES: dict[str, tuple[str, Callable[[Result], Any]]] = {
    "roc": ("nano_text.json", roc_figure),
    "v_s": ("nano_text.json", histogram_figure),
    "length": ("nano_length.json", length_figure),
    "states": ("nano_states.json", states_figure),
    "modalities": ("nano_modalities.json", modalities_figure),
    "attacks": ("nano_attacks.json", attacks_figure),
    "carryover": ("nano_carryover.json", carryover_figure),
    "prefill": ("nano_attacks.json", prefill_figure),
    "noise": ("nano_noise.json", noise_figure),
    "training": ("nano_v_s.json", training_figure),
    "hearing": ("nano_audio.json", hearing_figure),
    "reading": ("nano_vision.json", reading_figure),
    "learning_curve": ("sweeps/examples.json", learning_curve_figure),
}


def main() -> None:
    """Entry; run it in the repository's root."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, (file, draw) in FIGURES.items():
        if not (options.results / file).is_file():
            print(f"no {name}: {options.results / file} has not been measured")
            continue
        result = json.loads((options.results / file).read_text(encoding="utf-8"))
        path = options.out / f"{name}.png"
        draw(result).savefig(path, dpi=110, metadata={"Software": None})
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
