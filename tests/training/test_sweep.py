import json
import math

import pytest

from casa.data.held_out import HARMFUL, HARMLESS, held_out_queries
from casa.training.sweep import CONFIG_AXES, DATA_AXES, States, drawn, pool_of, sweep

POOL = pool_of(["seed"], 200, seed=0)


def test_the_pool_is_balanced_wrapped_alike_and_of_the_training_split():
    assert sum(e.malicious for e in POOL) == 100
    assert {e.split for e in POOL} == {"train"}
    wrapped = [sum("+" in e.kind for e in POOL if e.malicious == label) for label in (True, False)]
    assert all(20 < n < 60 for n in wrapped)


@pytest.mark.parametrize("axis", DATA_AXES)
def test_every_point_of_a_data_axis_is_balanced_and_has_its_share(axis):
    sizes = set()
    for value in DATA_AXES[axis]:
        chosen = [POOL[i] for i in drawn(axis, value, POOL, seed=1)]
        benign = [e for e in chosen if not e.malicious]
        assert len(chosen) == 2 * len(benign) == len({e.id for e in chosen})
        if axis == "examples":
            assert len(chosen) == min(value, 200)
        elif axis == "lookalike_share":
            assert sum(e.kind.startswith("lookalike") for e in benign) == round(value * len(benign))
        else:
            assert sum("+" in e.kind for e in benign) == round(value * len(benign))
        sizes.add(len(chosen))
    assert axis == "examples" or len(sizes) == 1


@pytest.mark.parametrize("axis", ["gate", "hidden_state", "safety_prompt", "num_heads", "examples"])
def test_an_axis_is_swept_on_cached_states(tiny_casa, axis):
    pool, dev = POOL[:8] + POOL[-8:], held_out_queries("dev", 0, limit=4)
    found = list(sweep(tiny_casa, States(tiny_casa, pool, dev), axis, seeds=1))
    assert [point["value"] for point in found] == list((CONFIG_AXES | DATA_AXES)[axis])
    json.dumps(found, allow_nan=False)
    for point in found:
        assert {f"flagged {kind}" for kind in (*HARMFUL, *HARMLESS)} <= set(point["mean"])
        assert all(0 <= figure <= 1 and math.isfinite(figure) for figure in point["mean"].values())
    assert all(p.grad is None for p in tiny_casa.model.parameters())
