"""`python -m casa.evaluation.nano_modalities`: last-layer states of malicious and benign queries as text, in a picture and spoken.

Without CASA and with it, each form in a plane of its own principal components; writes results/nano_modalities.json. Forms that the
model does not take are left out.
"""

from __future__ import annotations

from casa.baselines.pretrained import Undefended
from casa.data.held_out import held_out_queries
from casa.evaluation.forms import forms_taken
from casa.evaluation.measurement import measuring_parser, write_result
from casa.evaluation.states import form_planes
from casa.model.casa_model import CasaModel

FORMS = ("text", "picture", "speech")


def main() -> None:
    """Entry; see `--help`."""
    parser = measuring_parser(__doc__, "results/nano_modalities.json")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    options = parser.parse_args()
    casa, base = CasaModel.from_pretrained(options.model), Undefended.from_pretrained(options.model)
    queries = held_out_queries(options.split, options.seed, options.limit)
    texts = {kind: [example.text for example in queries[kind]] for kind in ("malicious", "benign")}
    taken = forms_taken(casa.chat, options.forms, options.split, options.seed)
    write_result(options, casa.device, {"modalities": form_planes(casa, base, texts, taken)})


if __name__ == "__main__":
    main()
