import json
import math

import pytest
import typer

from casa.cli.console import json_text, print_error, printable, reported_errors, verdict_line
from casa.errors import MessageError
from casa.model.outputs import Verdict


def test_a_model_cannot_steer_the_terminal():
    assert printable("a\x1b[2Jb\x07\r\n\tc\x9b") == "a[2Jb\n\tc"


def test_numbers_that_are_not_finite_become_null():
    assert json.loads(json_text({"risk": math.nan, "rows": [(math.inf, 1.5)]})) == {"risk": None, "rows": [[None, 1.5]]}


def test_json_is_ascii_even_for_a_lone_surrogate():
    assert json_text({"id": "\ud800é"}).isascii()


def test_an_error_is_one_red_line_on_stderr(capsys):
    with pytest.raises(typer.Exit) as exit_, reported_errors(as_json=False):
        raise MessageError("bad [bold]message[/bold]")
    assert exit_.value.exit_code == 3
    captured = capsys.readouterr()
    assert captured.err == "Error: bad [bold]message[/bold]\n"
    assert captured.out == ""


def test_an_error_is_json_on_stdout_if_json_was_asked_for(capsys):
    print_error(MessageError("bad"), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"error": {"type": "MessageError", "message": "bad"}}


def test_a_failed_verdict_says_so():
    assert "unsafe (failed)" in verdict_line(Verdict("unsafe", 1.0, math.nan, 0.5, failed=True)).plain
