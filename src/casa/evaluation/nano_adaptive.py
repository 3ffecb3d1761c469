"""`python -m casa.evaluation.nano_adaptive`: how many steps of a white-box attack the defence withstands.

Each held-out malicious query gets a suffix by greedy coordinate gradient until the verdict is "safe" or the steps are over;
then the model answers, and a refusal still counts for the defence. Writes results/nano_adaptive.json.
"""

from __future__ import annotations

from casa.data.held_out import held_out_queries
from casa.evaluation.adaptive import suffix_figures
from casa.evaluation.measurement import measuring_parser, write_result
from casa.model.casa_model import CasaModel


def main() -> None:
    """Entry; see `--help`."""
    parser = measuring_parser(__doc__, "results/nano_adaptive.json")
    parser.add_argument("--steps", type=int, default=20, help="exchanges of a token, at most")
    parser.add_argument("--candidates", type=int, default=32, help="tried at each step")
    options = parser.parse_args()

    casa = CasaModel.from_pretrained(options.model)
    queries = [e.text for e in held_out_queries(options.split, options.seed, options.limit)["malicious"]]
    figures = suffix_figures(casa, queries, options.steps, options.candidates, options.max_new_tokens, options.seed)
    write_result(options, casa.device, figures)


if __name__ == "__main__":
    main()
