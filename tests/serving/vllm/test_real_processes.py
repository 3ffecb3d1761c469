"""The servers as their users start them: processes of their own, asked over HTTP, ended by a signal."""

import signal

import pytest

pytest.importorskip("vllm")

import httpx2 as httpx
import psutil

from casa.serving.processes import base_command, casa_command, serving
from serving.conftest import CHAT, TEXTS, chat
from serving.running import MODEL, until
from tiny import user

ARGUMENTS = ["dtype=float32", "enforce_eager=true", "max_model_len=512", "skip_mm_profiling=true"]


def post(url, **body):
    return httpx.post(url + CHAT, json=body, timeout=120, trust_env=False)


def test_casa_serve_answers_finishes_at_a_signal_and_leaves_no_process(served_folder, served_casa, tmp_path):
    with serving(casa_command(str(served_folder), MODEL, ARGUMENTS), tmp_path / "log") as running:
        family = psutil.Process(running.pid).children(recursive=True)
        for text in TEXTS:
            alone = served_casa.respond(user(text), 4)
            answer = post(running.url, **chat(text)).json()
            assert answer["casa"]["label"] == alone.verdict.label
            assert answer["choices"][0]["message"]["content"] == alone.text
        with httpx.stream("POST", running.url + CHAT, json=chat(stream=True, max_tokens=64), timeout=60) as response:
            psutil.Process(running.pid).send_signal(signal.SIGTERM)
            assert "".join(response.iter_text()).endswith("data: [DONE]\n\n")
        until(lambda: not any(process.is_running() for process in family))
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_vllm_serve_loads_the_checkpoint_by_itself_and_shows_verdicts(served_folder, served_casa, tmp_path):
    command = [*base_command(str(served_folder), MODEL, ARGUMENTS), "--reasoning-parser", "casa"]
    with serving(command, tmp_path / "log") as running:
        found = {}
        for text in TEXTS:
            body = post(running.url, **chat(text, temperature=0)).json()
            message = body["choices"][0]["message"]
            found[text] = message["reasoning"], (message["content"] or "").strip()
        alone = {text: served_casa.respond(user(text), 3) for text in TEXTS}  # here the safety token counts
        assert {text: label for text, (label, _) in found.items()} == {t: r.verdict.label for t, r in alone.items()}
        assert {label for label, _ in found.values()} == {"safe", "unsafe"}
        for text, (label, content) in found.items():
            assert label == "unsafe" or content == alone[text].text
        steered = post(running.url, **chat(logit_bias={"5": 100}))
        assert steered.status_code == 400 and "logit_bias" in steered.text
        seeded = post(running.url, **chat("word " * 300, seed=1, temperature=1.0))
        assert seeded.status_code == 400 and "leave seed out" in seeded.text
        streamed = post(running.url, **chat(stream=True, temperature=0)).text
        assert streamed.index('"reasoning":') < streamed.index('"finish_reason":"')
