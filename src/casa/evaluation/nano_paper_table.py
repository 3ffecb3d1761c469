"""`python -m casa.evaluation.nano_paper_table FOLDER ...`: CASA and its rivals on the same held-out queries.

Every folder is a defence that `casa train RECIPE --method NAME` wrote (or "casa-nano"); one must be `pretrained`. Writes
results/nano_paper_table.json. Interrupted, the same command goes on with the next kind of conversation: what is measured is kept
in --work, without answers to harmful requests.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from casa.baselines.interface import Defence
from casa.baselines.methods import CASA, load_defence, method_of
from casa.data.reading import SEED_DATA
from casa.errors import CasaError
from casa.evaluation.adaptive import suffix_paths, suffixed
from casa.evaluation.answers import Conversation
from casa.evaluation.defences import (
    Outcome,
    against_casa,
    answers_of,
    conversations_by_kind,
    defence_figures,
    latencies,
    outcomes,
)
from casa.evaluation.forms import FORMS, chosen_forms
from casa.evaluation.kept import config_sha256, digest, kept, kept_outcome, kept_outcomes
from casa.evaluation.kinds import ADAPTIVE, MEAN_COLUMNS, benign_by_medium
from casa.evaluation.measurement import measuring_parser, write_result
from casa.evaluation.seeds import over_seeds, partner
from casa.evaluation.utility import utility_against
from casa.model.checkpoint import resolve
from casa.training.recipe import SUMMARY_FILE

SSFT = "ssft"  # whose utility CASA's is held against


@dataclass(frozen=True)
class Measured:
    """What is measured of one defence.

    Attributes:
        outcomes: by kind of conversation.
        seconds: to its first tokens, by medium.
    """

    outcomes: dict[str, Outcome]
    seconds: dict[str, list[float]]


def measured(source: str, conversations: dict[str, list[Conversation]], options: argparse.Namespace) -> Measured:
    """Outcomes and latencies of one defence, from the work folder as far as they are there already."""
    folder, claim = options.work / name_of(source), {"config_sha256": config_sha256(source)}
    load = cache(lambda: load_defence(source))
    found = kept_outcomes(folder, claim, load, conversations, options.max_new_tokens, options.batch_size)
    timed = {medium: conversations[kinds[0]] for medium, kinds in benign_by_medium(conversations).items()}
    waited = kept(
        folder / "latency.json",
        {**claim, "conversations": digest(timed), "prompts": options.latency_prompts},
        lambda: {"seconds": latencies(load(), conversations, options.latency_prompts)},
    )
    if options.adaptive:
        queries = [chat[0]["content"] for chat in conversations["malicious"][: options.adaptive]]
        paths = [folder / f"adaptive_{number}.json" for number in range(len(queries))]
        attempts = [attacked(path, claim, load, query, options) for path, query in zip(paths, queries, strict=True)]
        found[ADAPTIVE] = Outcome.joined(attempts)
    return Measured(found, waited["seconds"])


def attacked(
    path: Path, claim: dict[str, Any], load: Callable[[], Defence], query: str, options: argparse.Namespace
) -> Outcome:
    """What a defence does with one query under the adaptive attack, from its file if it is there already."""
    names = ("adaptive_steps", "adaptive_candidates", "max_new_tokens", "seed")
    steps, candidates, max_new_tokens, seed = settings = [getattr(options, name) for name in names]

    def attack() -> Outcome:
        paths = suffix_paths(load(), [query], steps, candidates, max_new_tokens, seed)
        return outcomes(load(), {ADAPTIVE: suffixed(paths)}, max_new_tokens, options.batch_size)[ADAPTIVE]

    return kept_outcome(path, {**claim, "attack": digest([query, *settings])}, attack)


def name_of(source: str) -> str:
    """What a defence is called in the table."""
    return Path(source).name


def training_of(source: str) -> dict[str, Any] | None:
    """Steps (None if it needs none) and seed of a run by its summary; None for what was trained elsewhere, such as casa-nano."""
    path = resolve(source) / SUMMARY_FILE
    if not path.is_file():
        return None
    summary = json.loads(path.read_text(encoding="utf-8"))
    return {"steps": summary.get("steps"), "seed": summary["seed"]}


def methods_by_name(sources: list[str]) -> dict[str, str]:
    """Each defence's method.

    Raises:
        CasaError: two folders have one name, or none is the undefended model.
    """
    methods = {name_of(source): method_of(source) for source in sources}
    if len(methods) < len(sources):
        raise CasaError("two of the folders have one name; the table could not tell them apart")
    if "pretrained" not in methods.values():
        raise CasaError(
            "the undefended model is what utility is measured by: write its folder with "
            "`casa train RECIPE --method pretrained --output_dir FOLDER` and name it too"
        )
    return methods


def compared(methods: dict[str, str], found: dict[str, Measured]) -> dict[str, dict[str, Any]]:
    """The figures of each defence, and how it does beside CASA, and CASA beside SSFT, of the same seed.

    Args:
        methods: by name of the defence, as of `methods_by_name`.
        found: likewise.
    """
    base = next(name for name, method in methods.items() if method == "pretrained")
    runs = {method: [name for name in methods if methods[name] == method] for method in (CASA, SSFT)}
    answers = {name: answers_of(one.outcomes) for name, one in found.items()}
    figures: dict[str, dict[str, Any]] = {}
    for name, one in found.items():
        casa = None if name in runs[CASA] else partner(name, runs[CASA])
        ssft = partner(name, runs[SSFT]) if name in runs[CASA] else None
        figures[name] = {
            "method": methods[name],
            **defence_figures(one.outcomes, one.seconds, found[base].outcomes),
            "against_casa": casa and {"run": casa, **against_casa(one.outcomes, found[casa].outcomes)},
            "against_ssft": ssft and {"run": ssft, **utility_against(answers[name], answers[ssft], answers[base])},
        }
    return figures


def _parser() -> argparse.ArgumentParser:
    parser = measuring_parser(__doc__, "results/nano_paper_table.json", model=False)
    parser.add_argument("models", nargs="+", help="folders of defences, each with a name of its own")
    parser.add_argument("--data", nargs="+", default=[SEED_DATA], help="data files; seed is the shipped data set")
    parser.add_argument(
        "--forms",
        nargs="*",
        choices=FORMS[1:],
        default=[],
        help="forms with pictures and sound, where the models take them",
    )
    parser.add_argument("--latency-prompts", type=int, default=20, help="benign queries that are timed one by one")
    parser.add_argument("--work", type=Path, default=Path("runs/paper_table"), help="what is measured is kept here")
    parser.add_argument(
        "--adaptive", type=int, default=0, help="malicious queries that get a suffix by white-box attack; 0 for none"
    )
    parser.add_argument("--adaptive-steps", type=int, default=20, help="exchanges of a token in it, at most")
    parser.add_argument("--adaptive-candidates", type=int, default=32, help="tried at each step")
    return parser


def main() -> None:
    """Entry; see `--help`."""
    options = _parser().parse_args()
    methods = methods_by_name(options.models)
    forms = chosen_forms(options.forms, options.split, options.seed)
    conversations = conversations_by_kind(options.split, options.seed, options.limit, options.data, forms)
    found = {name_of(source): measured(source, conversations, options) for source in options.models}
    settings = {
        "data": [Path(name).name for name in options.data],
        "max_new_tokens": options.max_new_tokens,
        "mean_columns": [
            name for name, kinds in MEAN_COLUMNS.items() if set(kinds) & set(next(iter(found.values())).outcomes)
        ],
    }
    if options.adaptive:
        names = ("adaptive", "adaptive_steps", "adaptive_candidates")
        settings |= {name: getattr(options, name) for name in names}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    runs = {
        name_of(source): {"config_sha256": config_sha256(source), "training": training_of(source)}
        for source in options.models
    }
    defences = {name: {**runs[name], **figures} for name, figures in compared(methods, found).items()}
    write_result(options, device, {**settings, "defences": defences, "seeds": over_seeds(defences)})


if __name__ == "__main__":
    main()
