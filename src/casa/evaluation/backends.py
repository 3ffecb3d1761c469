"""Servers that are started for one evaluation: vLLM with CASA, and beside it vLLM on the base model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from casa.errors import CasaError, MissingDependencyError
from casa.evaluation.sources import read_source

_SHARED_MEMORY = "gpu_memory_utilization=0.45"  # of each, where there are two


@contextmanager
def vllm_servers(
    source: str, casa: bool, undefended: bool, engine_args: Sequence[str], logs: Path
) -> Iterator[dict[str, str]]:
    """Addresses of servers, by the names of their models; they end with the block.

    Args:
        source: a CASA model, or a base model.
        casa: whether it is served itself.
        undefended: whether its base model is.
        engine_args: vLLM's, as NAME=VALUE.
        logs: folder of what the servers print.

    Raises:
        CasaError: the source is another method's.
        MissingDependencyError: vLLM is not in this environment.
        RuntimeError: a server did not start; its log says why.
    """
    if find_spec("vllm") is None:
        raise MissingDependencyError(
            "--backend vllm needs vLLM beside casa-mllm[eval]: see docs/serving-vllm.md. Where it has an environment of its "
            "own, start `casa serve MODEL --engine vllm` there and give its --address here."
        )
    from casa.model.embedded import base_source
    from casa.serving.processes import base_command, casa_command, serving

    found = read_source(source)
    if casa and found.provider != "casa":
        raise CasaError(
            "--backend vllm serves CASA models and base models; leave it out for another method, or give --no-casa"
        )
    given = list(engine_args)
    if casa and undefended and not any(pair.startswith("gpu_memory_utilization") for pair in given):
        given.append(_SHARED_MEMORY)
    commands = {}
    if casa:
        commands[f"casa/{source}"] = casa_command(source, source, given)
    if undefended:
        base = base_source(found.base["name"])
        commands[f"undefended/{source}"] = base_command(base, source, given)
    with ExitStack() as stack:
        running = {
            model: stack.enter_context(serving(command, logs / f"{model.partition('/')[0]}.server.txt"))
            for model, command in commands.items()
        }
        yield {model: f"{server.url}/v1" for model, server in running.items()}
