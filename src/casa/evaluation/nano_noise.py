"""`python -m casa.evaluation.nano_noise`: how much noise on an image or a clip turns the verdict, for an attacker with the weights.

Held-out malicious queries in a picture and spoken; noise within each bound is moved along the gradient of the gated margin until
the verdict is "safe" or the steps are over. Writes results/nano_noise.json; media that the model does not take are left out.
"""

from __future__ import annotations

from casa.data.held_out import held_out_queries
from casa.errors import CasaError
from casa.evaluation.adaptive import NOISES, noise_figures
from casa.evaluation.forms import forms_taken
from casa.evaluation.measurement import measuring_parser, write_result
from casa.model.casa_model import CasaModel


def main() -> None:
    """Entry; see `--help`."""
    parser = measuring_parser(__doc__, "results/nano_noise.json")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--pixels", type=float, nargs="+", default=[1, 4, 16], help="bounds, in levels of 255")
    parser.add_argument("--waveform", type=float, nargs="+", default=[0.001, 0.004, 0.016], help="of full scale 1")
    options = parser.parse_args()

    casa = CasaModel.from_pretrained(options.model)
    queries = [e.text for e in held_out_queries(options.split, options.seed, options.limit)["malicious"]]
    forms = forms_taken(casa.chat, [noise.form for noise in NOISES.values()], options.split, options.seed)
    if not forms:
        raise CasaError(
            f"{options.model} takes neither images nor sound, or nothing here can speak: see `casa nano info`"
        )
    bounds = {name: getattr(options, name) for name in NOISES}
    figures = noise_figures(casa, queries, forms, bounds, options.steps)
    write_result(options, casa.device, {"steps": options.steps, "noise": figures})


if __name__ == "__main__":
    main()
