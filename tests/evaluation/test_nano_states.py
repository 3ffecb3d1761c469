import numpy as np

from casa.evaluation.nano_states import plane_of


def test_the_plane_separates_what_lies_apart():
    states = np.random.default_rng(0).normal(0, 0.1, (8, 6))
    states[:4, 0] += 5
    plane = plane_of(states, ["a"] * 4 + ["b"] * 4)
    first = {kind: np.array(points)[:, 0] for kind, points in plane["points"].items()}
    assert abs(first["a"].mean() - first["b"].mean()) > 4
    assert plane["explained"][0] > 0.9
