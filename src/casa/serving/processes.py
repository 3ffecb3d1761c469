"""Starts servers as their users do, on free ports of this machine, and ends them."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx

_START_S = 1800.0
_STOP_S = 60.0


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Attributes:
        url: where.
        pid: of its first process.
    """

    url: str
    pid: int


def casa_command(model: str, name: str, engine_args: Sequence[str]) -> list[str]:
    """`casa serve MODEL --engine vllm`."""
    given = [word for pair in engine_args for word in ("--engine-arg", pair)]
    run = [sys.executable, "-c", "from casa.cli import main; main()"]
    return [*run, "serve", model, "--engine", "vllm", "--name", name, *given]


def base_command(folder: str, name: str, engine_args: Sequence[str]) -> list[str]:
    """VLLM's own server on the base model, with the same engine arguments (NAME=VALUE)."""
    given = []
    for pair in engine_args:
        key, _, value = pair.partition("=")
        flag = "--" + key.replace("_", "-")
        given += {"true": [flag], "false": [f"--no-{flag[2:]}"]}.get(value.lower(), [flag, value])
    run = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    return [*run, "--model", folder, "--served-model-name", name, *given]


@contextmanager
def serving(command: Sequence[str], log: Path) -> Iterator[Running]:
    """Runs a server until the block ends.

    Args:
        command: without a port.
        log: where its output goes.

    Raises:
        RuntimeError: it did not start; the log says why.
    """
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen([*command, "--port", str(port)], stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_until_ready(process, url, log)
            yield Running(url, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"a server ended before it answered; see {log}")
        try:
            if httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise RuntimeError(f"a server did not answer in {_START_S:g} s; see {log}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
