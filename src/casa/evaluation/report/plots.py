"""Figures as SVG; texts stay texts, so that names in any script are shown, and colours can be changed for dark pages."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from casa.data.held_out import HARMFUL
from casa.evaluation.calibration import Calibration
from casa.evaluation.metrics import Rate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INK, _SOFT, _LINE = "#1d2023", "#5f666d", "#d5d8dc"
_HARMFUL, _HARMLESS = "#b2182b", "#2166ac"  # as in casa.evaluation.figures
_CLASSES = {"malicious": _HARMFUL, "benign": _HARMLESS}
_UNDEFENDED = ("#9aa3ab", "#c3a57c")
_DEFENDED = ("#1f6feb", "#2e8b57", "#b8730a", "#7b4bb7")
_DARK = {
    _INK: "#e6e8ea",
    _SOFT: "#9ba3ac",
    _LINE: "#3a3f45",
    _HARMFUL: "#ff8f80",
    _HARMLESS: "#6cb2ff",
    "#9aa3ab": "#838c95",
    "#c3a57c": "#a58a62",
    "#1f6feb": "#62a0ff",
    "#2e8b57": "#6fd39a",
    "#b8730a": "#e2b456",
    "#7b4bb7": "#b796ef",
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "casa",  # the same figure is the same file
    "text.parse_math": False,  # names come from data sets
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _SOFT,
    "axes.edgecolor": _LINE,
    "axes.titlecolor": _INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
_MARKERS = {"malicious": "o", "jailbroken": "^", "benign": "o", "lookalike": "^", "framed_benign": "s"}
_LONGEST_NAME = 40
Rates = Mapping[str, Mapping[Any, Rate | None]]


def dark(svg: str) -> str:
    """The same figure for dark pages."""
    return re.sub("|".join(_DARK), lambda found: _DARK[found[0]], svg)


def bars(parts: Sequence[str], rates: Rates, axis_name: str) -> str:
    """Horizontal bars in per cent with intervals: a group a part, a bar a model."""
    from matplotlib import rc_context

    thickness = 0.8 / len(rates)
    with rc_context(_STYLE):
        figure, (axis,) = _axes(6, 0.9 + len(parts) * (0.14 + 0.17 * len(rates)))
        for number, (model, colour) in enumerate(_colours(list(rates)).items()):
            known = [(i, rate) for i, part in enumerate(parts) if (rate := rates[model].get(part)) is not None]
            places = [i + (number + 0.5) * thickness - 0.4 for i, _ in known]
            middle, spread = _in_per_cent([rate for _, rate in known])
            axis.barh(places, middle, thickness * 0.9, xerr=spread, color=colour, ecolor=_INK, capsize=2, label=model)
        axis.set_yticks(range(len(parts)), [_short(part) for part in parts])
        axis.invert_yaxis()
        axis.set(xlim=(0, 100), xlabel=axis_name)
        _legend(figure, axis)
        return _svg(figure)


def curve(
    points: Mapping[int, Mapping[str, Rate | None]],
    names: Sequence[str],
    axis_name: str,
    value_name: str = "attack success, %",
) -> str:
    """Rates in per cent with intervals, a line a name, by a length; lengths are apart alike, however far they grow."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        figure, (axis,) = _axes(6, 3.2)
        for name, colour in _colours(names).items():
            known = [(i, rate) for i, at in enumerate(points.values()) if (rate := at.get(name)) is not None]
            middle, spread = _in_per_cent([rate for _, rate in known])
            axis.errorbar([i for i, _ in known], middle, spread, color=colour, marker="o", capsize=3, label=name)
        axis.set_xticks(range(len(points)), [str(length) for length in points])
        axis.set(xlabel=axis_name, ylabel=value_name, ylim=(-3, 103))
        _legend(figure, axis)
        return _svg(figure)


def verdicts(
    scores: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    risks: tuple[Sequence[float], Sequence[float]] | None,
    found: Calibration,
) -> str:
    """ROC of each score, how v_s is spread over harmful and harmless items if there is one, and the reliability diagram."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        figure, (roc, *spread, reliability) = _axes(10, 3.2, 2 if risks is None else 3)
        _draw_roc(roc, scores)
        for histogram in spread:
            for values, name, colour in zip(risks or (), ("harmful", "harmless"), (_HARMFUL, _HARMLESS), strict=True):
                shares = np.full(len(values), 100 / len(values))
                histogram.hist(values, bins=20, range=(0, 1), weights=shares, color=colour, alpha=0.6, label=name)
            histogram.set(title="v_s", xlabel="v_s", ylabel="% of its kind", xlim=(0, 1))
            histogram.legend(fontsize=8)
        _draw_reliability(reliability, found)
        return _svg(figure)


def planes(found: Mapping[str, Mapping[str, Any]]) -> str:
    """States on two principal components, a plane a model; harmful kinds in one colour, harmless ones in another."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        figure, axes = _axes(9, 3.6, len(found))
        for axis, (name, plane) in zip(axes, found.items(), strict=True):
            for kind, points in plane["points"].items():
                x, y = np.array(points).T
                colour = _HARMFUL if kind in HARMFUL else _HARMLESS
                axis.scatter(x, y, 14, colour, _MARKERS[kind], alpha=0.7, linewidths=0, label=kind.replace("_", " "))
            first, second = (f"{100 * share:.0f} %" for share in plane["explained"])
            axis.set(title=name, xlabel=f"first component ({first})", ylabel=f"second ({second})")
        axes[0].legend(fontsize=8)
        return _svg(figure)


def _draw_roc(axis: Any, scores: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> None:
    from sklearn.metrics import roc_curve

    axis.plot([0, 1], [0, 1], color=_LINE, linewidth=1)
    for (name, (above, below)), colour in zip(scores.items(), _DEFENDED, strict=False):
        fpr, tpr, _ = roc_curve([1] * len(above) + [0] * len(below), [*above, *below])
        axis.plot(fpr, tpr, color=colour, label=name)
    axis.set(title="ROC", xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.01))
    axis.legend(fontsize=8, loc="lower right", title="AUROC", title_fontsize=8)


def _draw_reliability(axis: Any, found: Calibration) -> None:
    axis.plot([0, 1], [0, 1], color=_LINE, linewidth=1)
    largest = max(one.n for one in found.bins)
    sizes = [20 + 160 * one.n / largest for one in found.bins]
    predicted, observed = [one.predicted for one in found.bins], [one.observed for one in found.bins]
    axis.plot(predicted, observed, color=_DEFENDED[0], linewidth=1)
    axis.scatter(predicted, observed, s=sizes, color=_DEFENDED[0], alpha=0.7, linewidths=0)
    title = f"reliability: ECE {found.ece:.3f}, Brier {found.brier:.3f}"
    axis.set(title=title, xlabel="mean p_unsafe", ylabel="share harmful", xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))


def _axes(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, list(np.atleast_1d(figure.subplots(1, columns)))


def _colours(models: Sequence[str]) -> dict[str, str]:
    """Pale ones for undefended models, strong ones for others; the two classes of queries have their own."""
    if set(models) == _CLASSES.keys():
        return _CLASSES
    plain = [model for model in models if model.startswith("undefended/")]
    others = [model for model in models if model not in plain]
    found = {model: _UNDEFENDED[i % len(_UNDEFENDED)] for i, model in enumerate(plain)}
    return found | {model: _DEFENDED[i % len(_DEFENDED)] for i, model in enumerate(others)}


def _in_per_cent(rates: Sequence[Rate]) -> tuple[Any, Any]:
    middle = 100 * np.array([rate.rate for rate in rates])
    ends = [100 * np.array([getattr(rate, end) for rate in rates]) for end in ("low", "high")]
    return middle, [middle - ends[0], ends[1] - middle]


def _legend(figure: Figure, axis: Any) -> None:
    """Above the axes, where it hides nothing."""
    handles, names = axis.get_legend_handles_labels()
    figure.legend(
        handles, [_short(name) for name in names], loc="outside upper left", ncols=min(len(names), 2), fontsize=8
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else "…" + name[-_LONGEST_NAME:]


def _svg(figure: Figure) -> str:
    file = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the reader's fonts draw the text
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()
