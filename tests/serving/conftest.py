"""Doors in this process: in front of a scripted engine, or of the tiny model."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import torch
from starlette.testclient import TestClient

from casa import CasaConfig, CasaModel
from casa.serving.app import create_app
from casa.serving.door import Door
from casa.serving.engine import Engine
from casa.serving.settings import Settings
from casa.serving.transformers import TransformersEngine
from serving.running import CHAT, MODEL, Running, chat
from serving.scripted import ScriptedEngine
from tiny import WIDE_HEAD, make_tiny_base, user

__all__ = ["CHAT", "KEY", "MODEL", "TEXTS", "chat", "error_of"]

KEY = "s3cret"
JSON = {"content-type": "application/json"}
TEXTS = ["Hello", "What is this?", "Who?", "Why do trains brake on ice?", "word " * 40, "0?"]
VLLM_OPTIONS = {
    **{"dtype": "float32", "enforce_eager": True, "max_model_len": 1024, "max_num_seqs": 8},
    **{"skip_mm_profiling": True, "limit_mm_per_prompt": {"image": 1, "audio": 1, "video": 0}},
}
for name, value in {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
}.items():
    os.environ.setdefault(name, value)


@pytest.fixture(scope="session")
def served_casa(nano_folder: Path, _processor: Any) -> CasaModel:
    """A tiny random model that no test changes; some conversations are safe to it and some are not."""
    torch.manual_seed(1)
    base = make_tiny_base(nano_folder, **WIDE_HEAD)
    casa = CasaModel.attach(base, copy.deepcopy(_processor), CasaConfig(), r=4).eval()
    *_, low, high, _ = sorted(verdict.p_unsafe for verdict in casa.classify([user(text) for text in TEXTS]))
    casa.config = replace(casa.config, threshold=(low + high) / 2)
    return casa


@pytest.fixture(scope="session")
def served_folder(served_casa: CasaModel, nano_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as a checkpoint for vLLM."""
    from casa.serving.vllm.export import export

    folder = tmp_path_factory.mktemp("vllm")
    make_tiny_base(nano_folder, **WIDE_HEAD).save_pretrained(folder / "base")
    served_casa.processor.save_pretrained(folder / "base")
    served_casa.base["name"] = str(folder / "base")
    served_casa.save_pretrained(folder / "casa")
    merged = CasaModel.from_pretrained(folder / "casa")
    merged.base_model.config.name_or_path = str(nano_folder)  # laid out as a whole Omni model, which vLLM wants
    return export(merged, folder / "served")


@pytest.fixture(scope="session")
def vllm_running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """The same model in vLLM behind a door with a key, on a port: started once, because that takes long."""
    pytest.importorskip("vllm")
    from casa.serving.vllm.door_engine import VLLMEngine

    engine = VLLMEngine(request.getfixturevalue("served_folder"), **VLLM_OPTIONS)
    running = Running(engine, start_s=1800, api_key=KEY)
    yield running
    running.end()


@pytest.fixture(scope="module", params=["transformers", "vllm"])
def running(request: pytest.FixtureRequest, served_casa: CasaModel) -> Iterator[Running]:
    """The tiny model behind a door with a key, on a port, in either engine."""
    if request.param == "vllm":
        yield request.getfixturevalue("vllm_running")
        return
    running = Running(TransformersEngine(served_casa, batch_size=4), api_key=KEY)
    yield running
    running.end()


@pytest.fixture
def opened() -> Iterator[Callable[..., TestClient]]:
    """`opened(engine, refusal="fixed")`: a client of a door with these settings."""
    clients = []

    def open_door(engine: Engine | None = None, **settings: Any) -> TestClient:
        door = Door(engine or ScriptedEngine(), Settings(MODEL, **{"max_new_tokens": 16, **settings}))
        client = TestClient(create_app(door), raise_server_exceptions=False, headers=JSON)
        client.door = door
        clients.append(client.__enter__())
        return client

    yield open_door
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(opened: Callable[..., TestClient]) -> TestClient:
    """Of a scripted engine that answers "Hello there"."""
    return opened()


@pytest.fixture(scope="module")
def real_client(running: Running) -> Iterator[httpx.Client]:
    """Of the tiny model, in either engine."""
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=running.url, headers=headers, timeout=300, trust_env=False) as client:
        yield client


def error_of(response: Any, status: int) -> dict[str, Any]:
    """The error in a response of this status, in OpenAI's form; nothing else is in it."""
    assert response.status_code == status, response.text
    assert set(response.json()) == {"error"}
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"]
    return error
