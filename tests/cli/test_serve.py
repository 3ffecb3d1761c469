import json
import signal
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import httpx2 as httpx
import pytest

from casa.method.config import SAFETY_PROMPT


def test_help_shows_examples_and_the_settings(run):
    result = run("serve", "--help")
    assert result.exit_code == 0
    for word in (
        "casa serve",
        "--api-key",
        "CASA_API_KEY",
        "--refusal",
        "--allow-media-domain",
        "--engine",
        "--engine-arg",
        "--casa-recheck",
        "--json",
    ):
        assert word in result.stdout


@pytest.mark.parametrize(
    "wrong",
    [
        ("--engine", "x"),
        ("--refusal", "x"),
        ("--threshold", "2"),
        ("--threshold", "0"),
        ("--threshold", "nan"),
        ("--engine", "vllm", "--casa-recheck", "nan"),
        ("--request-timeout", "nan"),
        ("--shutdown-timeout", "inf"),
        ("--max-body-mb", "nan"),
        ("--port", "70000"),
        ("--api-key", ""),
        ("--api-key", " "),
        ("--batch-size", "0"),
        ("--casa-recheck", "1.5"),
        ("--casa-recheck", "0.9"),
        ("--engine-arg", "dtype=float32"),
        ("--engine", "vllm", "--engine-arg", "dtype"),
        ("--engine", "vllm", "--engine-arg", "=float32"),
    ],
)
def test_wrong_settings_exit_with_2(run, wrong):
    assert run("serve", *wrong).exit_code == 2


def test_an_empty_key_in_the_environment_is_wrong_usage_too(run, monkeypatch):
    monkeypatch.setenv("CASA_API_KEY", "")
    result = run("serve")
    assert result.exit_code == 2 and "empty" in result.stderr


def test_a_model_that_is_not_there_is_told_in_one_line(run, tmp_path):
    result = run("serve", tmp_path / "nothing")
    assert result.exit_code == 3 and "Error" in result.stderr


def test_missing_packages_are_named_with_what_installs_them(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "casa.serving.server", raising=False)
    result = run("serve")
    assert result.exit_code == 3 and "casa-mllm[api]" in result.stderr


def test_the_settings_reach_the_server_and_an_open_host_without_a_key_is_warned_of(run, tiny_casa_folder, monkeypatch):
    from casa.serving import server

    served = []
    monkeypatch.setattr(server.Server, "run", lambda self: served.append(self) or setattr(self, "started", True))
    result = run(
        *("serve", tiny_casa_folder, "--name", "mine", "--host", "0.0.0.0", "--refusal", "fixed", "--threshold", "0.3"),
        *("--allow-media-domain", "a.example", "--no-prefill"),
    )
    assert result.exit_code == 0 and "CASA_API_KEY" in result.stderr
    settings = served[0]._door.settings
    assert (settings.model, settings.refusal, settings.api_key) == ("mine", "fixed", None)
    assert settings.media_domains == {"a.example"} and not settings.prefill


def test_a_real_server_tells_its_port_answers_and_ends_at_a_signal(tiny_casa_folder):
    run = [sys.executable, "-c", "from casa.cli import main; main()"]
    command = [*run, "serve", str(tiny_casa_folder), "--port", "0", "--json", "--name", "x"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            told = json.loads(process.stdout.readline())
            assert told["model"] == "x" and not told["url"].endswith(":0/v1")
            body = {"input": "Hello", "model": "x"}
            answer = httpx.post(f"{told['url']}/moderations", json=body, timeout=60, trust_env=False)
            assert answer.json()["results"][0]["casa"]["label"] in ("safe", "unsafe")
            process.send_signal(signal.SIGTERM)
            assert process.wait(90) == 0
            assert process.stdout.read() == ""
        finally:
            process.kill()


@pytest.fixture
def vllm_engine(monkeypatch, tmp_path):
    """Stands in for vLLM: the arguments of the engine that would be started; the server starts and ends at once."""
    made = []

    class Engine:
        def __init__(self, *arguments, **options):
            if "nonsense" in options:
                raise TypeError("unexpected keyword argument 'nonsense'")
            made.append((arguments, options))

        def waiting(self):
            return 0

    from casa.serving import server

    monkeypatch.setenv("CASA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "vllm", ModuleType("vllm"))
    monkeypatch.setitem(sys.modules, "casa.serving.vllm.door_engine", SimpleNamespace(VLLMEngine=Engine))
    monkeypatch.setattr(server.Server, "run", lambda self: setattr(self, "started", True))
    return made


def test_a_model_for_vllm_is_exported_once_with_a_message(run, tiny_casa_folder, vllm_engine):
    first = run("serve", tiny_casa_folder, "--engine", "vllm")
    second = run("serve", tiny_casa_folder, "--engine", "vllm")
    assert first.exit_code == second.exit_code == 0
    assert "exported, once" in first.stderr and "exported" not in second.stderr
    (one, _), (other, _) = vllm_engine
    assert one == other and (one[0] / "casa_export.json").is_file()


def test_settings_of_vllm_reach_it(run, tiny_casa_folder, vllm_engine):
    options = ("--engine-arg", "tensor-parallel-size=2", "--engine-arg", "enforce_eager=true", "--batch-size", "8")
    result = run(
        *("serve", tiny_casa_folder, "--engine", "vllm", *options),
        *("--casa-recheck", "0.9", "--safety-prompt", "--shutdown-timeout", "7.5"),
    )
    assert result.exit_code == 0, result.stderr
    ((_, prompt, recheck), given) = vllm_engine[0]
    assert prompt == SAFETY_PROMPT and recheck == 0.9
    expected = {"tensor_parallel_size": 2, "enforce_eager": True, "max_num_seqs": 8, "shutdown_timeout": 8}
    assert given == expected


def test_an_argument_that_vllm_does_not_have_is_wrong_usage(run, tiny_casa_folder, vllm_engine):
    assert run("serve", tiny_casa_folder, "--engine", "vllm", "--engine-arg", "nonsense=1").exit_code == 2


def test_without_vllm_the_packages_are_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    result = run("serve", "--engine", "vllm")
    assert result.exit_code == 3 and "casa-mllm[serve]" in result.stderr


def test_a_server_that_does_not_start_ends_with_an_error(run, tiny_casa_folder, monkeypatch):
    from casa.serving import server

    monkeypatch.setattr(server.Server, "run", lambda self: None)
    result = run("serve", tiny_casa_folder)
    assert result.exit_code == 3 and "did not start" in result.stderr
