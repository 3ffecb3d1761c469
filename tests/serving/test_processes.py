"""Servers start, end, and say where they failed."""

from __future__ import annotations

import sys

import httpx2 as httpx
import psutil
import pytest

from casa.serving.processes import base_command, casa_command, serving

SERVER = """
import http.server, sys
class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[-1])), Healthy).serve_forever()
"""


def test_a_server_answers_until_the_block_ends(tmp_path):
    with serving([sys.executable, "-c", SERVER], tmp_path / "logs" / "log") as running:
        assert httpx.get(f"{running.url}/health", trust_env=False).status_code == 200
        assert psutil.pid_exists(running.pid)
    assert not psutil.pid_exists(running.pid)


def test_a_server_that_ends_early_is_told_with_its_log(tmp_path):
    log = tmp_path / "log"
    with pytest.raises(RuntimeError, match="log"), serving([sys.executable, "-c", "print('no model')"], log):
        pass
    assert "no model" in log.read_text()


def test_both_commands_get_the_same_engine_arguments():
    given = ["dtype=float32", "enforce_eager=true", "enable_prefix_caching=false"]
    casa, base = casa_command("casa-nano", "x", given), base_command("folder", "x", given)
    assert casa[-6:] == ["--engine-arg", given[0], "--engine-arg", given[1], "--engine-arg", given[2]]
    assert base[-4:] == ["--dtype", "float32", "--enforce-eager", "--no-enable-prefix-caching"]
