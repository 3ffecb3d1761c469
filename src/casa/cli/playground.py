"""`casa playground`: a page to try a model by hand."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from casa.cli.console import err, out, print_json, reported_errors
from casa.cli.models import load_casa, load_undefended
from casa.cli.options import LOOPBACK, JsonOption, ThresholdOption
from casa.errors import DataError, MissingDependencyError

if TYPE_CHECKING:
    from casa.apps.playground.backend import Backend
    from casa.apps.playground.tradeoff import TradeOff

_RESULTS = Path("results/nano_text.json")


def playground(
    model: Annotated[
        str, typer.Argument(help='A CASA model: "casa-nano", a folder written by training, or a hub id.')
    ] = "casa-nano",
    url: Annotated[
        str | None, typer.Option(help="Ask a running `casa serve` instead of MODEL, such as http://localhost:8000/v1.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="With --url: a server of the same model without CASA, to compare with.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="CASA_API_KEY", help="With --url: the key that the servers ask for.")
    ] = None,
    threshold: ThresholdOption = None,
    results: Annotated[
        Path, typer.Option(help="Scores of casa.evaluation.nano_text, for what a threshold costs and buys.")
    ] = _RESULTS,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 128,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 7861,
    as_json: JsonOption = False,
) -> None:
    """A page to try a model by hand: without and with CASA side by side, attacks, and what the decision looked at.

    Text, images and clips; the verdict and v_s before the answer; safety
    attention over tokens, patches and waveform; buttons that turn a query into
    an attack; a slider that shows what a threshold costs and buys. Ctrl-C
    stops it. Nothing that is typed is stored or leaves this machine.

    [bold]Examples[/]
    [cyan]casa playground[/]
    [cyan]casa playground runs/mine --results runs/mine/text.json[/]
    [cyan]casa playground --url http://localhost:8000/v1[/]  (a running casa serve)
    """
    if url is None and base_url is not None:
        raise typer.BadParameter("--base-url needs --url")
    if url is not None and threshold is not None:
        raise typer.BadParameter("--threshold is the server's own with --url; give it to casa serve")
    with reported_errors(as_json), ExitStack() as stack:
        try:
            import gradio  # noqa: F401

            from casa.apps.playground.backend import elsewhere, in_this_process
            from casa.apps.playground.client import Client
            from casa.apps.playground.server import serve
        except ImportError as error:
            raise MissingDependencyError(
                f"the playground needs more packages: pip install 'casa-mllm[apps]' ({error})"
            ) from error

        if host not in LOOPBACK:
            err.print("[yellow]Other machines can reach this page, without a key or encryption.[/]")
        if url is not None:
            base = None if base_url is None else Client(base_url, max_new_tokens, api_key, decides=False)
            backend = elsewhere(Client(url, max_new_tokens, api_key), base)
        else:
            casa, undefended = load_casa(model, threshold=threshold), load_undefended(model)
            backend = stack.enter_context(in_this_process(model, casa, undefended, max_new_tokens))
        measured, reason = _trade_off(results, None if url is not None else model)
        _tell(backend, f"http://{host}:{port}", as_json)
        serve(backend, measured, reason, host, port)


def _trade_off(results: Path, model: str | None) -> tuple[TradeOff | None, str]:
    """What was measured of this model, or why nothing was; of a server any file is taken that was named."""
    from casa.apps.playground.tradeoff import read_trade_off
    from casa.evaluation.measurement import model_fields

    if model is None and results == _RESULTS:
        return None, "which model the server has is not known here; name its measurement with --results"
    try:
        return read_trade_off(results, model_fields(model)["adapter_sha256"] if model is not None else None), ""
    except DataError as error:
        return None, str(error)


def _tell(backend: Backend, address: str, as_json: bool) -> None:
    if as_json:
        print_json({"url": address, "model": backend.model})
    else:
        out.print(f"{backend.model}  {address}  Ctrl-C stops it", markup=False, soft_wrap=True)
