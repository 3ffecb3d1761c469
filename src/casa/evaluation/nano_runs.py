"""`python -m casa.evaluation.nano_runs FOLDER ...`: models that differ in one choice, measured on the same held-out text.

The folders are runs of equal budget, such as those of `python -m casa.training.run_sweep`; their names head the columns.
"""

from __future__ import annotations

from pathlib import Path

from casa.baselines.pretrained import Undefended
from casa.data.held_out import held_out_queries
from casa.evaluation.measurement import measuring_parser, model_fields, write_result
from casa.evaluation.text import measure_text, texts_answered_before
from casa.model.casa_model import CasaModel


def main() -> None:
    """Entry; see `--help`."""
    parser = measuring_parser(__doc__, "results/nano_runs.json", model=False)
    parser.add_argument("models", nargs="+", help="CASA folders of the same base model")
    options = parser.parse_args()
    names = [Path(source).name for source in options.models]
    if len(set(names)) < len(names):
        parser.error(f"the folders need names of their own, got {', '.join(names)}")

    queries = held_out_queries(options.split, options.seed, options.limit)
    base = Undefended.from_pretrained(options.models[0])
    before = texts_answered_before(base, queries, options.max_new_tokens, options.batch_size)
    runs = {}
    for name, source in zip(names, options.models, strict=True):
        casa = CasaModel.from_pretrained(source)
        figures = measure_text(casa, before, queries, options.max_new_tokens, options.batch_size)
        runs[name] = {**model_fields(source), **figures}
    write_result(options, casa.device, {"max_new_tokens": options.max_new_tokens, "runs": runs})


if __name__ == "__main__":
    main()
