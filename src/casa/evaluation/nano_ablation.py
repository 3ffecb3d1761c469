"""`python -m casa.evaluation.nano_ablation FOLDER ...`: what each choice of the method contributes.

The folders are CASA runs of equal budget that differ in a choice, such as the gate ("none" is no safety attention), the pooling or
the weight of the risk loss; their names head the rows. Each is measured without the safety prompt and with it, so that two runs,
with and without safety attention, make the paper's four rows. Writes results/nano_ablation.json. Interrupted, the same command goes
on with the next kind of conversation: what is measured is kept in --work, without answers to harmful requests.
"""

from __future__ import annotations

import argparse
import json
from functools import cache
from pathlib import Path
from typing import Any

import torch

from casa.data.reading import SEED_DATA
from casa.evaluation.answers import Conversation
from casa.evaluation.defences import behaviour, conversations_by_kind
from casa.evaluation.forms import FORMS, chosen_forms
from casa.evaluation.kept import config_sha256, kept_outcomes
from casa.evaluation.measurement import measuring_parser, model_fields, write_result
from casa.method.config import SAFETY_PROMPT
from casa.model.casa_model import CasaModel
from casa.model.checkpoint import read_config, resolve
from casa.training.run_folder import RUN_FILE

_NO_CHOICES = {"safety_prompt", "output_dir", "base_model", "init_from"}  # of the method, or columns of their own


def choices_of(source: str) -> dict[str, Any]:
    """Everything that was chosen for a run: fields of CasaConfig and, where the run left them, of recipe and training."""
    folder = resolve(source)
    found = dict(read_config(folder)["casa"])
    if (folder / RUN_FILE).is_file():
        claim = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        found |= claim["recipe"] | claim["training"]
    return {name: value for name, value in found.items() if name not in _NO_CHOICES}


def differing(choices: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of each run the choices that are not the same in all runs; a run that does not name one has None."""
    names = dict.fromkeys(name for found in choices.values() for name in found)
    varied = [name for name in names if len({json.dumps(found.get(name)) for found in choices.values()}) > 1]
    return {run: {name: found.get(name) for name in varied} for run, found in choices.items()}


def main() -> None:
    """Entry; see `--help`."""
    parser = measuring_parser(__doc__, "results/nano_ablation.json", model=False)
    parser.add_argument("models", nargs="+", help="CASA folders of the same base model, each with a name of its own")
    parser.add_argument("--data", nargs="+", default=[SEED_DATA], help="data files; seed is the shipped data set")
    parser.add_argument("--forms", nargs="*", choices=FORMS[1:], default=[], help="forms with pictures and sound")
    parser.add_argument("--work", type=Path, default=Path("runs/ablation"), help="what is measured is kept here")
    parser.add_argument("--no-safety-prompt", action="store_true", help="leave out the rows with the safety prompt")
    options = parser.parse_args()
    sources = {Path(source).name: source for source in options.models}
    if len(sources) < len(options.models):
        parser.error(f"the folders need names of their own, got {', '.join(options.models)}")

    choices = differing({name: choices_of(source) for name, source in sources.items()})
    forms = chosen_forms(options.forms, options.split, options.seed)
    conversations = conversations_by_kind(options.split, options.seed, options.limit, options.data, forms)
    rows = [
        {"run": name, "choices": choices[name], **_row(source, prompt, conversations, options)}
        for name, source in sources.items()
        for prompt in ((None,) if options.no_safety_prompt else (None, SAFETY_PROMPT))
    ]
    data = [Path(name).name for name in options.data]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    write_result(options, device, {"data": data, "max_new_tokens": options.max_new_tokens, "rows": rows})


def _row(
    source: str, prompt: str | None, conversations: dict[str, list[Conversation]], options: argparse.Namespace
) -> dict[str, Any]:
    """What one run does, with a safety prompt or without."""
    folder = options.work / Path(source).name / ("plain" if prompt is None else "safety_prompt")
    claim = {"config_sha256": config_sha256(source), "safety_prompt": prompt}
    load = cache(lambda: CasaModel.from_pretrained(source, overrides={"safety_prompt": prompt}))
    found = kept_outcomes(folder, claim, load, conversations, options.max_new_tokens, options.batch_size)
    return {
        **model_fields(source),
        "safety_attention": read_config(resolve(source))["casa"]["gate"] != "none",
        "safety_prompt": prompt is not None,
        **behaviour(found),
    }


if __name__ == "__main__":
    main()
