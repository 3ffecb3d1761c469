"""`python -m casa.evaluation.nano_carryover`: does safety that was learned on text hold for pictures and sound?

Held-out queries and harmless counterparts in each form, without and with CASA; writes results/nano_carryover.json. The spoken forms
need espeak-ng and flite; `--forms` measures some forms only.
"""

from __future__ import annotations

from casa.baselines.pretrained import Undefended
from casa.data.held_out import held_out_queries
from casa.data.reading import jailbreak_templates
from casa.evaluation.attacked import measure_attack
from casa.evaluation.forms import FORMS, SPOKEN_FORMS, forms
from casa.evaluation.measurement import measuring_parser, write_result
from casa.method.config import SAFETY_PROMPT
from casa.model.casa_model import CasaModel
from casa.nano.speech.say import voices


def main() -> None:
    """Entry; see `--help`."""
    parser = measuring_parser(__doc__, "results/nano_carryover.json")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--safety-prompt", action="store_true", help="with the built-in safety prompt")
    options = parser.parse_args()

    overrides = {"safety_prompt": SAFETY_PROMPT} if options.safety_prompt else {}
    casa, base = (
        CasaModel.from_pretrained(options.model, overrides=overrides),
        Undefended.from_pretrained(options.model),
    )
    queries = held_out_queries(options.split, options.seed, options.limit)
    say = voices(options.split, options.seed) if set(options.forms) & set(SPOKEN_FORMS) else None
    made = forms(jailbreak_templates(options.split), options.seed, say)
    figures = {}
    for name in options.forms:
        conversations = {
            malicious: [made[name](example.text) for example in queries["malicious" if malicious else "benign"]]
            for malicious in (True, False)
        }
        figures[name] = measure_attack(casa, base, conversations, options.max_new_tokens, options.batch_size)
        print(name, figures[name]["attack_success"]["after"]["rate"], flush=True)
    settings = {"max_new_tokens": options.max_new_tokens, "safety_prompt": options.safety_prompt}
    write_result(options, casa.device, {**settings, "forms": figures})


if __name__ == "__main__":
    main()
