"""`python -m casa.evaluation.nano_states`: do last-layer states separate the kinds of queries? Writes results/nano_states.json.

The final hidden state at the last prompt position, without CASA and with it, projected on its first two principal components.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from casa.baselines.pretrained import Undefended
from casa.baselines.probe import cached_last_states
from casa.data.held_out import held_out_queries
from casa.evaluation.measurement import measuring_parser, write_result
from casa.model.casa_model import CasaModel


def plane_of(states: np.ndarray, kinds: Sequence[str]) -> dict[str, Any]:
    """Two principal components of states, by kind, and the share of variance that each explains."""
    from sklearn.decomposition import PCA

    pca = PCA(2, random_state=0)
    plane = pca.fit_transform(states).round(3)
    points = {kind: plane[[k == kind for k in kinds]].tolist() for kind in dict.fromkeys(kinds)}
    return {"explained": pca.explained_variance_ratio_.tolist(), "points": points}


def main() -> None:
    """Entry; see `--help`."""
    options = measuring_parser(__doc__, "results/nano_states.json").parse_args()
    casa, base = CasaModel.from_pretrained(options.model), Undefended.from_pretrained(options.model)
    queries = held_out_queries(options.split, options.seed, options.limit)
    examples = [example for found in queries.values() for example in found]
    kinds = [kind for kind, found in queries.items() for _ in found]
    models = {"without CASA": base, "with CASA": Undefended(casa.base_model, casa.chat)}
    figures = {
        name: plane_of(cached_last_states(model, examples, options.batch_size).numpy(), kinds)
        for name, model in models.items()
    }
    write_result(options, casa.device, {"states": figures})


if __name__ == "__main__":
    main()
