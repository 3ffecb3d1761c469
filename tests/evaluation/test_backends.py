"""vLLM is started for a run with what the user asked for, and what is missing is told."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from casa.errors import CasaError, MissingDependencyError
from casa.evaluation import backends
from casa.evaluation.backends import vllm_servers
from casa.serving import processes


@pytest.fixture
def started(monkeypatch):
    """Commands that would have been run."""
    commands = []

    @contextmanager
    def serving(command, log):
        commands.append([*command])
        yield SimpleNamespace(url=f"http://127.0.0.1:{len(commands)}")

    monkeypatch.setattr(processes, "serving", serving)
    monkeypatch.setattr(backends, "find_spec", lambda name: object())
    return commands


def test_both_servers_share_the_memory_and_get_their_addresses(started, tiny_casa_folder, tmp_path):
    source = str(tiny_casa_folder)
    with vllm_servers(source, True, True, ["dtype=float32"], tmp_path) as addresses:
        assert addresses == {f"casa/{source}": "http://127.0.0.1:1/v1", f"undefended/{source}": "http://127.0.0.1:2/v1"}
    casa, base = started
    assert "serve" in casa and "gpu_memory_utilization=0.45" in casa and "dtype=float32" in casa
    assert str(tiny_casa_folder.with_name("base")) in base and "--gpu-memory-utilization" in base


def test_one_server_keeps_the_memory(started, tiny_casa_folder, tmp_path):
    with vllm_servers(str(tiny_casa_folder), True, False, [], tmp_path) as addresses:
        assert len(addresses) == 1
    assert not any("gpu_memory_utilization" in word for word in started[0])


def test_a_base_model_is_served_alone_and_another_method_not_at_all(started, tiny_casa_folder, guard_folder, tmp_path):
    base = str(tiny_casa_folder.with_name("base"))
    with vllm_servers(base, False, True, [], tmp_path) as addresses:
        assert list(addresses) == [f"undefended/{base}"] and base in started[0]
    with pytest.raises(CasaError, match="leave it out"), vllm_servers(str(guard_folder), True, True, [], tmp_path):
        pass


def test_without_vllm_it_is_said_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="--address"), vllm_servers("x", True, True, [], tmp_path):
        pass
