"""`python -m casa.evaluation.nano_adaptive`: how many steps of a white-box attack a defence withstands.

Each held-out malicious query gets a suffix by greedy coordinate gradient until the defence answers it, with no refusal and with
language, or the steps are over. `--model` is CASA or the folder of any rival. Writes results/nano_adaptive.json.
"""

from __future__ import annotations

import torch

from casa.baselines.methods import load_defence, method_of
from casa.data.held_out import held_out_queries
from casa.evaluation.adaptive import suffix_figures
from casa.evaluation.measurement import measuring_parser, write_result


def main() -> None:
    """Entry; see `--help`."""
    parser = measuring_parser(__doc__, "results/nano_adaptive.json")
    parser.add_argument("--steps", type=int, default=20, help="exchanges of a token, at most")
    parser.add_argument("--candidates", type=int, default=32, help="tried at each step")
    options = parser.parse_args()

    defence = load_defence(options.model)
    queries = [e.text for e in held_out_queries(options.split, options.seed, options.limit)["malicious"]]
    figures = suffix_figures(defence, queries, options.steps, options.candidates, options.max_new_tokens, options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    write_result(options, device, {"method": method_of(options.model), **figures})


if __name__ == "__main__":
    main()
