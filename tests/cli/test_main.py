import subprocess
import sys

import pytest

COMMANDS = ("demo", "ask", "chat", "classify", "train", "playground", "nano")


def test_help_names_every_command_and_the_exit_codes(run):
    result = run("--help")
    assert result.exit_code == 0
    assert all(command in result.stdout for command in COMMANDS)
    assert "Exit codes" in result.stdout


@pytest.mark.parametrize("command", COMMANDS[:-1])
def test_help_of_a_command_shows_an_example_and_json(run, command):
    result = run(command, "--help")
    assert f"casa {command}" in result.stdout
    assert "--json" in result.stdout


def test_the_app_starts_without_importing_torch():
    code = "import sys, casa.cli; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_version(run):
    assert run("--version").stdout.startswith("casa ")


def test_wrong_usage_exits_with_2(run):
    assert run("ask").exit_code == 2
    assert run("classify", "a", "--threshold", "0").exit_code == 2
