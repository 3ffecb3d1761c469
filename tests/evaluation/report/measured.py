"""Results files as `casa.evaluation.inside` leaves them, made without a model."""

from casa.evaluation.report.measured import Measured


def rate(successes: int, n: int = 4) -> dict:
    return {"successes": successes, "n": n, "rate": successes / n, "low": 0.0, "high": 1.0}


def curve(*broken: int) -> list[dict]:
    return [{"step": step, "broken": rate(n)} for step, n in enumerate(broken)]


PLANE = {
    "explained": [0.5, 0.2],
    "points": {kind: [[0.0, 1.0], [1.0, 0.0]] for kind in ("malicious", "jailbroken", "benign", "lookalike")},
}
PLANES = {"without CASA": PLANE, "with CASA": PLANE}
SPREAD = {"n": 3, "low": 90.0, "median": 100.0, "high": 120.0}
FIGURES = {
    "states": {"states": PLANES, "modalities": {"picture": PLANES}},
    "lengths": {
        "lengths": {
            str(tokens): {
                kind: {"flagged_unsafe": rate(n), "mean_v_s": 0.5} for kind, n in (("malicious", 3), ("benign", 1))
            }
            for tokens in (0, 256)
        }
    },
    "suffix": {
        "settings": {"steps": 2, "candidates": 16, "max_new_tokens": 8},
        "curve": curve(0, 1, 3),
        "attack_success": rate(2),
    },
    "noise": {
        "noise": {
            "pixels": {"form": "picture", "unit": "levels of 255", "curves": {"1": curve(0, 1), "8": curve(0, 4)}}
        }
    },
    "latency": {
        "first_token_ms": {"without CASA": SPREAD, "with CASA": SPREAD},
        "added_ms": {"mean": 4.0, "low": 1.0, "high": 7.0},
    },
}


def measured(model: str = "casa/casa-nano") -> list[Measured]:
    return [Measured(f"{name}.json", model, figures) for name, figures in FIGURES.items()]
