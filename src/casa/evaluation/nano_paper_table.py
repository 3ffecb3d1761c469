"""`python -m casa.evaluation.nano_paper_table FOLDER ...`: CASA and its rivals on the same held-out queries.

Every folder is a defence that `casa train RECIPE --method NAME` wrote (or "casa-nano"); one must be `pretrained`. Writes
results/nano_paper_table.json. Interrupted, the same command goes on with the next defence: what is measured is kept in --work,
without answers to harmful requests.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from casa.baselines.folder import DEFENCE_FILE
from casa.baselines.methods import CASA, load_defence, method_of
from casa.data.reading import SEED_DATA
from casa.errors import CasaError
from casa.evaluation.adaptive import suffix_paths, suffixed
from casa.evaluation.answers import Conversation, as_conversations
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
from casa.evaluation.kinds import ADAPTIVE, MEAN_COLUMNS
from casa.evaluation.measurement import measuring_parser, write_result
from casa.evaluation.seeds import over_seeds, partner
from casa.evaluation.utility import utility_against
from casa.hashing import sha256_of
from casa.model.checkpoint import CONFIG_FILE, resolve

SSFT = "ssft"  # whose utility CASA's is held against


def measured(source: str, conversations: dict[str, list[Conversation]], options: argparse.Namespace) -> dict[str, Any]:
    """Outcomes and latencies of one defence, from the work folder if they are there already."""
    claim = {
        "config_sha256": config_sha256(source),
        "max_new_tokens": options.max_new_tokens,
        "latency_prompts": options.latency_prompts,
        "conversations": digest(conversations),
    }

    def measure() -> dict[str, Any]:
        defence = load_defence(source)
        found = outcomes(defence, conversations, options.max_new_tokens, options.batch_size)
        seconds = latencies(defence, conversations, options.latency_prompts)
        return {"outcomes": {kind: asdict(outcome) for kind, outcome in found.items()}, "seconds": seconds}

    return kept(options.work / f"{name_of(source)}.json", claim, measure)


def attacked(source: str, queries: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """The outcome of one defence under the adaptive attack, from the work folder if it is there already."""
    steps, candidates = options.adaptive_steps, options.adaptive_candidates
    claim = {
        "config_sha256": config_sha256(source),
        "max_new_tokens": options.max_new_tokens,
        "steps": steps,
        "candidates": candidates,
        "seed": options.seed,
        "queries": digest({ADAPTIVE: as_conversations(queries)}),
    }

    def measure() -> dict[str, Any]:
        defence = load_defence(source)
        paths = suffix_paths(defence, queries, steps, candidates, options.max_new_tokens, options.seed)
        found = outcomes(defence, {ADAPTIVE: suffixed(paths)}, options.max_new_tokens, options.batch_size)
        return {"outcome": asdict(found[ADAPTIVE])}

    return kept(options.work / f"{name_of(source)}.adaptive.json", claim, measure)


def kept(path: Path, claim: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a file holds of the same claim; else what is measured now, written there.

    Args:
        path: the file.
        claim: what the measurement depends on.
        measure: makes it.
    """
    if path.is_file():
        earlier: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if earlier["claim"] == claim:
            return earlier
    result = {"claim": claim, **measure()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.replace(path)
    return result


def digest(conversations: dict[str, list[Conversation]]) -> str:
    """SHA-256 of what is asked, pictures and sound included."""

    def of_medium(medium: Any) -> str:
        return hashlib.sha256(medium.tobytes()).hexdigest()

    return hashlib.sha256(json.dumps(conversations, default=of_medium).encode()).hexdigest()


def name_of(source: str) -> str:
    """What a defence is called in the table."""
    return Path(source).name


def config_sha256(source: str) -> str:
    """Of the file that holds checksums of everything else in the folder."""
    folder = resolve(source)
    casa = folder / CONFIG_FILE
    return sha256_of(casa if casa.is_file() else folder / DEFENCE_FILE)


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
    one_by_one = {name_of(source): measured(source, conversations, options) for source in options.models}
    found = {name: {k: Outcome(**o) for k, o in one["outcomes"].items()} for name, one in one_by_one.items()}
    if options.adaptive:
        queries = [chat[0]["content"] for chat in conversations["malicious"][: options.adaptive]]
        for source in options.models:
            found[name_of(source)][ADAPTIVE] = Outcome(**attacked(source, queries, options)["outcome"])
    pretrained = next(found[name] for name, method in methods.items() if method == "pretrained")
    casa_runs = [name for name, method in methods.items() if method == CASA]
    ssft_runs = [name for name, method in methods.items() if method == SSFT]
    defences: dict[str, dict[str, Any]] = {}
    for source in options.models:
        name, one = name_of(source), one_by_one[name_of(source)]
        casa = None if name in casa_runs else partner(name, casa_runs)
        ssft = partner(name, ssft_runs) if name in casa_runs else None
        defences[name] = {
            "method": methods[name],
            "config_sha256": config_sha256(source),
            **defence_figures(found[name], one["seconds"], pretrained),
            "against_casa": casa and {"run": casa, **against_casa(found[name], found[casa])},
            "against_ssft": ssft
            and {"run": ssft, **utility_against(*map(answers_of, (found[name], found[ssft], pretrained)))},
        }
    settings = {
        "data": [Path(name).name for name in options.data],
        "max_new_tokens": options.max_new_tokens,
        "mean_columns": [name for name, kinds in MEAN_COLUMNS.items() if set(kinds) & set(pretrained)],
    }
    if options.adaptive:
        names = ("adaptive", "adaptive_steps", "adaptive_candidates")
        settings |= {name: getattr(options, name) for name in names}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    write_result(options, device, {**settings, "defences": defences, "seeds": over_seeds(defences)})


if __name__ == "__main__":
    main()
