"""`python -m benchmarks.serving`: vLLM with and without CASA under load; writes results/serving.json.

Both servers run at once and take turns at each level of load, so that what else the machine does meets both alike. The base
model is served by vLLM's own server, CASA by `casa serve --engine vllm`. With --soak only CASA is served, for so many minutes, with
good and bad requests; it ends with exit code 1 if the server crashed, grew, or gave a verdict that is not the one in transformers.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from rich.progress import track

from benchmarks.load import run_load
from benchmarks.soak import soak
from benchmarks.soak_requests import known
from casa.data.held_out import held_out_queries
from casa.evaluation.measurement import write_result
from casa.model.casa_model import CasaModel
from casa.model.checkpoint import read_config, resolve
from casa.model.embedded import base_source
from casa.serving.processes import base_command, casa_command, serving

NAME = "measured"
_LOGS = Path("runs/serving")


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry; see `--help`."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.soak is None and options.requests < 2 * max(options.concurrency):
        parser.error(
            f"--requests must be at least {2 * max(options.concurrency)}, twice the most at once: else fewer are"
        )
    queries = held_out_queries(options.split, options.seed)
    benign = [example.text for kind in ("benign", "lookalike") for example in queries[kind]]
    malicious = [example.text for example in queries["malicious"]]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if options.soak is not None:
        figures = _soaked(options, [*benign[: options.requests], *malicious[: options.requests]])
        options.out = options.out or Path("results/serving_soak.json")
        write_result(options, device, {"minutes": options.soak, **figures})
        sys.exit(bool(figures["failures"]))
    loads = {"benign": some(benign, options.requests), "half_malicious": half(benign, malicious, options.requests)}
    options.out = options.out or Path("results/serving.json")
    found = _measured(options, loads)
    figures = {"max_new_tokens": options.max_new_tokens, "loads": found, "casa_to_base": compared(found)}
    write_result(options, device, figures)


def _measured(options: argparse.Namespace, loads: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    base = base_source(read_config(resolve(options.model))["base_model"]["name"])
    arguments = options.engine_arg
    with (
        serving(casa_command(options.model, NAME, arguments), _LOGS / "casa.log") as casa,
        serving(base_command(base, NAME, arguments), _LOGS / "base.log") as plain,
    ):
        return measured({"base": plain.url, "casa": casa.url}, loads, options.concurrency, options.max_new_tokens)


def measured(
    servers: Mapping[str, str], loads: Mapping[str, Sequence[str]], levels: Sequence[int], max_tokens: int
) -> list[dict[str, Any]]:
    """Figures of each load at each level on each server, in turns; each server is warmed up before.

    Args:
        servers: urls by name.
        loads: texts by name.
        levels: requests at once.
        max_tokens: longest answer.
    """
    for url in servers.values():
        asyncio.run(run_load(url, NAME, next(iter(loads.values()))[:2], 1, max_tokens))
    rounds = [(load, level, server) for load in loads for level in levels for server in servers]
    return [
        {
            "load": load,
            "concurrency": level,
            "server": server,
            **asyncio.run(run_load(servers[server], NAME, loads[load], level, max_tokens)),
        }
        for load, level, server in track(rounds, "Measuring")
    ]


def compared(figures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """CASA beside the base model at each level of each load: shares of its throughput, and what the first text waits longer.

    The added time is to be at most one decoded token (`base_token_s`); medians, None where no text came.
    """
    at = {(f["load"], f["concurrency"], f["server"]): f for f in figures}
    pairs = [
        (load, level, at[load, level, "base"], casa) for (load, level, server), casa in at.items() if server == "casa"
    ]
    return [
        {
            "load": load,
            "concurrency": level,
            "requests_share": casa["requests_per_s"] / base["requests_per_s"] if base["requests_per_s"] else None,
            "tokens_share": casa["tokens_per_s"] / base["tokens_per_s"] if base["tokens_per_s"] else None,
            "added_first_text_s": casa["first_text_s"]["p50"] - base["first_text_s"]["p50"]
            if casa["first_text_s"] and base["first_text_s"]
            else None,
            "base_token_s": base["token_s"]["p50"] if base["token_s"] else None,
        }
        for load, level, base, casa in pairs
    ]


def _soaked(options: argparse.Namespace, texts: Sequence[str]) -> dict[str, Any]:
    asked = known(CasaModel.from_pretrained(options.model), texts, options.media)
    with serving(casa_command(options.model, NAME, options.engine_arg), _LOGS / "soak.log") as casa:
        running = soak(
            casa.url,
            casa.pid,
            NAME,
            asked,
            60 * options.soak,
            max(options.concurrency),
            options.seed,
            options.max_new_tokens,
        )
        return asyncio.run(running).figures()


def some(texts: Sequence[str], count: int) -> list[str]:
    """So many texts, from the beginning again where there are fewer."""
    return list(islice(cycle(texts), count))


def half(benign: Sequence[str], malicious: Sequence[str], count: int) -> list[str]:
    """Texts of both kinds by turns."""
    pairs = zip(some(benign, count), some(malicious, count), strict=True)
    return [text for pair in pairs for text in pair][:count]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="casa-nano", help="casa-nano or a CASA folder")
    parser.add_argument("--engine-arg", action="append", default=[], metavar="NAME=VALUE", help="for both servers")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32], help="requests at once")
    parser.add_argument("--requests", type=int, default=64, help="at each level, at least twice as many as at once")
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--split", choices=("dev", "test"), default="dev", help="whose queries are asked")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of queries and of bad requests")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="soak instead of measuring speed")
    parser.add_argument(
        "--media", action=argparse.BooleanOptionalAction, default=True, help="soak with pictures and clips too"
    )
    parser.add_argument("--out", type=Path, help="results/serving.json, or results/serving_soak.json")
    return parser


if __name__ == "__main__":
    main()
