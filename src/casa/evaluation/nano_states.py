"""`python -m casa.evaluation.nano_states`: do last-layer states separate the kinds of queries? Writes results/nano_states.json.

The final hidden state at the last prompt position, without CASA and with it, projected on its first two principal components.
"""

from __future__ import annotations

from casa.baselines.pretrained import Undefended
from casa.data.held_out import held_out_queries
from casa.evaluation.measurement import measuring_parser, write_result
from casa.evaluation.states import kind_planes
from casa.model.casa_model import CasaModel


def main() -> None:
    """Entry; see `--help`."""
    options = measuring_parser(__doc__, "results/nano_states.json").parse_args()
    casa, base = CasaModel.from_pretrained(options.model), Undefended.from_pretrained(options.model)
    queries = held_out_queries(options.split, options.seed, options.limit)
    write_result(options, casa.device, {"states": kind_planes(casa, base, queries, options.batch_size)})


if __name__ == "__main__":
    main()
