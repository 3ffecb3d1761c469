"""`casa serve`: an OpenAI-compatible server."""

from __future__ import annotations

import math
import os
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from casa.cli.console import err, print_json, reported_errors
from casa.cli.models import load_casa
from casa.cli.options import LOOPBACK, EngineArgOption, JsonOption, SafetyPromptOption, ThresholdOption
from casa.errors import MissingDependencyError

if TYPE_CHECKING:
    from pathlib import Path

    from casa.model.casa_model import CasaModel
    from casa.serving.engine import Engine


class EngineChoice(Enum):
    """Engines that can stand behind the door."""

    TRANSFORMERS = "transformers"
    VLLM = "vllm"


class Refusal(Enum):
    """What is answered on the unsafe branch."""

    MODEL = "model"
    FIXED = "fixed"
    VERDICT = "verdict"


KEY_VARIABLE = "CASA_API_KEY"


def _checked_key(value: str | None) -> str | None:
    """An empty key, as a failed command leaves one, must not open the server."""
    given = os.environ.get(KEY_VARIABLE) if value is None else value
    if given is not None and not given.strip():
        raise typer.BadParameter(f"the key is empty; leave out --api-key and {KEY_VARIABLE} to ask for none")
    return value


def _number(value: float | None) -> float | None:
    """No bound holds back what is no number, and infinity is no time to wait for."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter("must be a finite number")
    return value


def serve(
    model: Annotated[
        str, typer.Argument(help='A CASA model: "casa-nano", a folder (of casa export, too), or a hub id.')
    ] = "casa-nano",
    engine: Annotated[
        EngineChoice, typer.Option(help="What runs the model; vllm has continuous batching and a package of its own.")
    ] = EngineChoice.TRANSFORMERS,
    engine_arg: EngineArgOption = None,
    recheck: Annotated[
        float | None,
        typer.Option(
            "--casa-recheck",
            min=0.0,
            max=1.0,
            callback=_number,
            help="vLLM: v_s of prompt and answer from which an answer is taken back while it is written.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    name: Annotated[str | None, typer.Option(help="Name that requests ask for, instead of MODEL.")] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar=KEY_VARIABLE,
            callback=_checked_key,
            help="Key that requests must bear; better set in the environment.",
        ),
    ] = None,
    refusal: Annotated[
        Refusal, typer.Option(help="Answer on the unsafe branch: the model's own, a fixed text, or the verdict only.")
    ] = Refusal.MODEL,
    threshold: ThresholdOption = None,
    safety_prompt: SafetyPromptOption = False,
    prefill: Annotated[
        bool, typer.Option(help="Let requests give the beginning of their answer, which is not judged.")
    ] = True,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 1024,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Conversations answered at once; 16, or what vLLM takes.")
    ] = None,
    max_requests: Annotated[int, typer.Option(min=1, help="Conversations inside at once; the next gets 429.")] = 128,
    request_timeout: Annotated[
        float, typer.Option(min=0.1, callback=_number, help="Seconds after which a request is given up.")
    ] = 120,
    shutdown_timeout: Annotated[
        float, typer.Option(min=0, callback=_number, help="Seconds that running requests get to finish.")
    ] = 60,
    max_body_mb: Annotated[float, typer.Option(min=0.001, callback=_number, help="Largest body of a request.")] = 32,
    allow_media_domain: Annotated[
        list[str] | None, typer.Option(help="A host that images may be fetched from by https; may be repeated.")
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Log the messages of errors, which may quote prompts.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Serves a model by OpenAI's API: chat, moderations, models, metrics.

    Every answer carries its verdict, in the field "casa" and in the header
    x-casa-verdict. Ctrl-C lets running requests finish; a second one does not.

    [bold]Examples[/]
    [cyan]casa serve casa-nano[/]
    [cyan]CASA_API_KEY=$(openssl rand -hex 16) casa serve runs/mine --host 0.0.0.0 --refusal fixed[/]
    [cyan]casa serve runs/mine --engine vllm --engine-arg tensor_parallel_size=2[/]
    [cyan]curl localhost:8000/v1/moderations -H 'content-type: application/json' -d '{"input": "Hello"}'[/]
    """
    with reported_errors(as_json):
        try:
            from casa.serving.door import Door
            from casa.serving.engine import EngineError
            from casa.serving.server import Server
            from casa.serving.settings import Settings
        except ImportError as error:
            raise MissingDependencyError(
                f"serving needs more packages: pip install 'casa-mllm[api]' ({error})"
            ) from error

        if api_key is None and host not in LOOPBACK:
            err.print(
                f"[yellow]No API key is asked for, and other machines can reach this server: set {KEY_VARIABLE}.[/]"
            )
        settings = Settings(
            name or model,
            api_key=api_key,
            refusal=refusal.value,
            prefill=prefill,
            max_new_tokens=max_new_tokens,
            max_requests=max_requests,
            request_timeout_s=request_timeout,
            shutdown_timeout_s=shutdown_timeout,
            max_body_mb=max_body_mb,
            media_domains=frozenset(allow_media_domain or ()),
        )
        if engine is EngineChoice.VLLM:
            given = engine_options(engine_arg or [])
            if batch_size is not None:
                given["max_num_seqs"] = batch_size
            # a signal reaches vLLM's process too; it must not end before the door's last request
            given.setdefault("shutdown_timeout", math.ceil(shutdown_timeout))
            chosen = _vllm(model, safety_prompt, threshold, recheck, given)
        elif engine_arg or recheck is not None:
            raise typer.BadParameter("--engine-arg and --casa-recheck need --engine vllm")
        else:
            chosen = _transformers(model, safety_prompt, threshold, batch_size or 16)

        def tell(found: int) -> None:
            print_json({"url": f"http://{f'[{host}]' if ':' in host else host}:{found}/v1", "model": settings.model})

        server = Server(
            Door(chosen, settings), host, port, "debug" if debug else "info", on_start=tell if as_json else None
        )
        server.run()
        if not server.started:
            raise EngineError("the server did not start; the lines above say why")


def engine_options(given: list[str]) -> dict[str, Any]:
    """Names and values from NAME=VALUE; values are read as YAML, so that numbers and true are what they look like."""
    import yaml

    pairs = [pair.partition("=") for pair in given]
    if wrong := [name for name, sign, _ in pairs if not (name and sign)]:
        raise typer.BadParameter(f"--engine-arg takes NAME=VALUE, not {wrong[0]!r}")
    return {name.replace("-", "_"): yaml.safe_load(value) for name, _, value in pairs}


def _transformers(model: str, safety_prompt: bool, threshold: float | None, batch_size: int) -> Engine:
    from casa.serving.transformers import TransformersEngine

    return TransformersEngine(load_casa(model, safety_prompt, threshold=threshold), batch_size)


def _vllm(
    model: str, safety_prompt: bool, threshold: float | None, recheck: float | None, options: dict[str, Any]
) -> Engine:
    try:
        import vllm  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "--engine vllm needs vLLM, in an environment of its own: pip install 'casa-mllm[serve]', or [serve-cpu] "
            f"where there is no GPU; docs/serving-vllm.md has the steps ({error})"
        ) from error
    from casa.method.config import SAFETY_PROMPT
    from casa.serving.vllm.door_engine import VLLMEngine
    from casa.serving.vllm.exported import exported

    checkpoint = exported(model, threshold, _load_to_export)
    prompt = SAFETY_PROMPT if safety_prompt else checkpoint.safety_prompt
    try:
        with err.status(f"Checking {checkpoint.folder} ..."):
            return VLLMEngine(checkpoint.folder, prompt, recheck, **options)
    except TypeError as error:
        raise typer.BadParameter(f"vLLM does not take these engine arguments: {error}") from error


def _load_to_export(source: str, folder: Path) -> CasaModel:
    err.print(f"{source} is no checkpoint for vLLM yet; it is exported, once, to {folder}", soft_wrap=True)
    return load_casa(source)
