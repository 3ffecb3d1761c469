"""`casa eval`: benchmarks on a model, before and after CASA."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from casa.cli.console import err, out, print_json, reported_errors
from casa.cli.options import EngineArgOption, JsonOption

if TYPE_CHECKING:
    from casa.evaluation.inside import Effort
    from casa.evaluation.metrics import Rate
    from casa.evaluation.suite import Suite
    from casa.evaluation.summary import Row

_TOKENS = 64
_NANO = {"nano": "casa-nano"}


class BackendChoice(Enum):
    """What runs the CASA model and its base model."""

    TRANSFORMERS = "transformers"
    VLLM = "vllm"


class SuiteChoice(Enum):
    """Suites that have a name."""

    OFFLINE = "offline"


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help='A CASA model: "casa-nano" ("nano" for short), a folder, or a hub id. Or the folder of another method of '
            "casa train, or a base model alone."
        ),
    ] = "casa-nano",
    suite: Annotated[
        SuiteChoice | None,
        typer.Option(
            help="offline: every mini set, small, and what is measured inside the model; for a first whole report."
        ),
    ] = None,
    benchmark: Annotated[
        list[str] | None, typer.Option("--benchmark", help="Which; may be repeated. All, if none is given.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", help="NAME=FOLDER with the official set, or NAME=hub to fetch it; else the mini set."),
    ] = None,
    other: Annotated[
        list[str] | None, typer.Option("--other", help="Another model by its inspect-ai name, such as openai/gpt-4o.")
    ] = None,
    casa: Annotated[
        bool, typer.Option("--casa/--no-casa", help="The model itself, with CASA or another method.")
    ] = True,
    base: Annotated[bool, typer.Option("--base/--no-base", help="Also its base model, without.")] = True,
    backend: Annotated[
        BackendChoice, typer.Option(help="What runs both; vllm is started for the run, and needs to be installed here.")
    ] = BackendChoice.TRANSFORMERS,
    engine_arg: EngineArgOption = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where MODEL is served already (casa serve, vLLM): http://HOST:PORT/v1."),
    ] = None,
    base_address: Annotated[
        str | None, typer.Option(metavar="URL", help="Where its base model is served, under the same name.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", help="A model, by its inspect-ai name, that judges the answers too.")
    ] = None,
    judge_price: Annotated[
        str | None,
        typer.Option("--judge-price", metavar="READ/WRITTEN", help="The judge's dollars for a million tokens: 2.5/10."),
    ] = None,
    timed_by: Annotated[
        Path | None,
        typer.Option("--timed-by", exists=True, help="Logs of a small run, to tell how long this one takes."),
    ] = None,
    queries: Annotated[
        int | None, typer.Option(min=1, help="Mini sets: queries of each kind; all, or the suite's.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Most items of a benchmark.")] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option("--max-new-tokens", min=1, help=f"Longest answer, in tokens; {_TOKENS}, or the suite's."),
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Conversations at once.")] = 16,
    folder: Annotated[Path, typer.Option("--out", file_okay=False, help="Folder of the logs.")] = Path("runs/eval"),
    listed: Annotated[bool, typer.Option("--list", help="List the benchmarks and stop.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be run and stop.")] = False,
    leak: Annotated[
        Path | None, typer.Option("--check-leak", exists=True, help="Training data to look for in the benchmarks.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Runs benchmarks on a model, without and with CASA or another method.

    Each benchmark has a mini set that needs no download, made from the
    project's own held-out queries. Interrupted, the same command goes on
    where it stopped. The logs hold the models' answers: keep them private.
    [cyan]inspect view --log-dir runs/eval[/] shows them, [cyan]casa report[/] sums them up.

    [bold]Examples[/]
    [cyan]casa eval nano --suite offline && casa report[/]
    [cyan]casa eval --list[/]
    [cyan]casa eval casa-nano --benchmark xstest --queries 20[/]
    [cyan]casa eval casa-nano --limit 2 --out runs/small && casa eval casa-nano --dry-run --timed-by runs/small[/]
    [cyan]casa eval runs/mine --benchmark mm_safetybench --data mm_safetybench=~/MM-SafetyBench[/]
    [cyan]casa eval runs/mine --other defence/runs/ssft --other defence/runs/guard[/]
    [cyan]casa eval mine --address http://gpu:8000/v1 --base-address http://gpu:8001/v1[/]
    [cyan]casa eval runs/mine --backend vllm --engine-arg tensor_parallel_size=2[/]
    [cyan]casa eval --no-casa --no-base --other hf/Qwen/Qwen2.5-1.5B-Instruct[/]
    [cyan]casa eval --check-leak train.jsonl[/]
    """
    with reported_errors(as_json):
        names = _known(benchmark or [])
        folders = _folders(data or [])
        if listed:
            _print_list(as_json)
        elif leak is not None:
            _print_leaks(leak, names, folders, as_json)
        else:
            from casa.evaluation.presets import PRESETS
            from casa.evaluation.suite import suite_of

            preset = PRESETS[suite.value] if suite else None
            source = _NANO.get(model, model)
            settings: dict[str, Any] = {"limit": limit, "judge": judge, "data": folders, "batch_size": batch_size}
            settings["queries"] = queries or (preset.queries if preset else None)
            settings["max_tokens"] = max_new_tokens or (preset.max_tokens if preset else _TOKENS)
            if (address or base_address) and backend is BackendChoice.VLLM:
                raise typer.BadParameter("--backend vllm starts servers of its own; leave --address out")
            if address or base_address:
                served = {"casa": address, "undefended": base_address}
                settings["addresses"] = {f"{provider}/{source}": url for provider, url in served.items() if url}
                casa, base = casa and bool(address), base and bool(base_address)
            planned = suite_of(source, other or [], names, casa, base, **settings)
            if casa and planned.models[0] == f"undefended/{source}":
                casa = False
                err.print(f"{source} is a base model, so it is asked alone, as undefended/{source}", soft_wrap=True)
            _print_plan(planned, _price(judge_price), timed_by, as_json and dry_run)
            if dry_run:
                return
            with _servers(backend, source, casa, base, engine_arg or [], folder) as addresses:
                # the plan has made its items already, which takes time where they are spoken
                _run(replace(planned, addresses=addresses) if addresses else planned, folder, as_json)
            if preset and not address and f"casa/{source}" in planned.models:
                _measure(source, preset.effort.limited(limit) if limit else preset.effort, folder)


def _servers(
    backend: BackendChoice, source: str, casa: bool, base: bool, engine_args: list[str], folder: Path
) -> AbstractContextManager[dict[str, str]]:
    """Addresses of servers that are started for the run, or none."""
    if backend is BackendChoice.TRANSFORMERS:
        return nullcontext({})
    from casa.evaluation.backends import vllm_servers

    err.print(f"starting vLLM; its output goes to {folder}", soft_wrap=True)
    return vllm_servers(source, casa, base, engine_args, folder)


def _known(names: list[str]) -> list[str]:
    from casa.evaluation.benchmarks import BENCHMARKS

    if unknown := [name for name in names if name not in BENCHMARKS]:
        raise typer.BadParameter(f"unknown benchmark {', '.join(unknown)}; known are {', '.join(BENCHMARKS)}")
    return names


def _folders(pairs: list[str]) -> dict[str, str]:
    """Data by benchmark, from NAME=FOLDER."""
    split = [pair.partition("=") for pair in pairs]
    if any(not name or not where for name, _, where in split):
        raise typer.BadParameter("--data takes NAME=FOLDER or NAME=hub")
    _known([name for name, _, _ in split])
    return {name: where if where == "hub" else str(Path(where).expanduser()) for name, _, where in split}


def _print_list(as_json: bool) -> None:
    from casa.evaluation.benchmarks import BENCHMARKS

    fields = ("name", "title", "measures", "modality", "size", "licence", "source", "obtain", "hub")
    cards = [{field: getattr(benchmark, field) for field in fields} for benchmark in BENCHMARKS.values()]
    if as_json:
        print_json(cards)
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("name", "measures", "modality", "items", "licence", "how to get it"):
        table.add_column(name, overflow="fold")
    for card in cards:
        size = f"{card['size']:,}"
        table.add_row(card["name"], card["measures"], card["modality"], size, card["licence"], card["obtain"])
    out.print(table)


def _print_leaks(train: Path, names: list[str], folders: dict[str, str], as_json: bool) -> None:
    from casa.evaluation.leaks import leaks

    found = leaks(train, names, folders)
    if as_json:
        print_json([asdict(leak) for leak in found])
    else:
        for leak in found:
            out.print(f"[red]{leak.benchmark}[/] {leak.item}  [dim]{leak.why}, line {leak.line}[/]")
        out.print(f"{len(found)} items of the benchmarks are in {train.name}" if found else "no leak was found")
    if found:
        raise typer.Exit(1)


def _print_plan(suite: Suite, price: tuple[float, float] | None, timed_by: Path | None, as_json: bool) -> None:
    from casa.evaluation.costs import CHARACTERS_A_TOKEN, expected_seconds, judge_cost, seconds_an_item

    planned, models = suite.plan(), len(suite.models)
    items, read = sum(p.items for p in planned), sum(p.characters for p in planned) // CHARACTERS_A_TOKEN
    cost = judge_cost(planned, models, suite.max_tokens) if suite.judge else None
    dollars = cost.dollars(*price) if cost and price else None
    seconds, untimed = (
        expected_seconds(planned, suite.models, seconds_an_item([timed_by])) if timed_by else (None, None)
    )
    if as_json:
        total = {"items": items, "models": list(suite.models), "most_new_tokens": models * items * suite.max_tokens}
        total |= {"text_tokens_read": models * read, "judge": asdict(cost) if cost else None, "judge_dollars": dollars}
        print_json({"benchmarks": [asdict(p) for p in planned], **total, "seconds": seconds, "untimed_items": untimed})
        return
    for p in planned:
        err.print(f"{p.benchmark:20} {p.skipped or f'{p.items} items'}", style="dim" if p.skipped else "")
    tokens = f"about {models * read:,} tokens of text read, at most {models * items * suite.max_tokens:,} written"
    err.print(f"{items} items on {', '.join(suite.models)}: {tokens}", soft_wrap=True)
    if cost:
        money = "" if dollars is None else f", at most ${dollars:.2f}"
        amount = f"at most {cost.calls:,} calls, {cost.tokens_read:,} tokens read and {cost.tokens_written:,} written"
        err.print(f"{suite.judge} judges: {amount}{money}", soft_wrap=True)
    if seconds is not None:
        rest = f", and {untimed} items that were not timed" if untimed else ""
        err.print(f"about {seconds / 60:.0f} minutes by the logs in {timed_by}{rest}", soft_wrap=True)


def _price(text: str | None) -> tuple[float, float] | None:
    """Two numbers from READ/WRITTEN."""
    if text is None:
        return None
    try:
        read, written = map(float, text.split("/"))
    except ValueError:
        raise typer.BadParameter("--judge-price takes READ/WRITTEN, such as 2.5/10") from None
    return read, written


def _run(suite: Suite, folder: Path, as_json: bool) -> None:
    from casa.evaluation.summary import answered, rows

    summary = rows(list(answered(suite.run(folder, "none" if as_json else None))))
    if as_json:
        print_json([asdict(row) for row in summary])
    else:
        out.print(_summary_table(summary))
        out.print(f"logs: {folder}  [dim]casa report {folder} makes a page of them[/]")


def _measure(source: str, effort: Effort, folder: Path) -> None:
    from casa.evaluation.inside import measure_inside

    for path in measure_inside(source, effort, folder):
        err.print(f"measured: {path}", soft_wrap=True)


def _summary_table(summary: list[Row]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    numbers = ("attack success %", "answered %", "called unsafe %", "not scored")
    for name in ("benchmark", "attack", "model", "items", *numbers):
        table.add_column(name, justify="right" if name in numbers else "left")
    for row in summary:
        cells = (_percent(row.complied), "") if row.harmful else ("", _percent(row.complied))
        items = "harmful" if row.harmful else "harmless"
        unscored = str(row.unscored) if row.unscored else ""
        table.add_row(row.benchmark, row.attack, row.model, items, *cells, _percent(row.flagged), unscored)
    return table


def _percent(rate: Rate | None) -> str:
    return "" if rate is None else f"{100 * rate.rate:.1f} ({100 * rate.low:.0f}-{100 * rate.high:.0f})"
