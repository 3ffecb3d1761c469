from .conftest import json_lines

SHORT = ("--max-new-tokens", "4")


def prompt_tokens(result):
    return [row["usage"]["prompt_tokens"] for row in json_lines(result)]


def test_each_turn_has_a_verdict_and_ctrl_d_ends(run, tiny_casa_folder):
    result = run("chat", "--model", tiny_casa_folder, *SHORT, input="Hello\n\nAgain\n")
    assert result.exit_code == 0
    assert result.stdout.count("p_unsafe") == 2


def test_exit_ends_the_conversation(run, tiny_casa_folder):
    result = run("chat", "--model", tiny_casa_folder, "--json", *SHORT, input="Hello\n/exit\nAgain\n")
    assert len(json_lines(result)) == 1


def test_turns_add_up_and_reset_starts_over(run, tiny_casa_folder):
    result = run("chat", "--model", tiny_casa_folder, "--json", *SHORT, input="Hello\nHello\n/reset\nHello\n")
    first, second, third = prompt_tokens(result)
    assert second > first == third


def test_system_sets_the_system_message(run, tiny_casa_folder):
    words = "Answer in one word, and never in two or three words, whatever is asked."
    told = run("chat", "--model", tiny_casa_folder, "--json", *SHORT, input=f"Hello\n/system {words}\nHello\n")
    given = run("chat", "--model", tiny_casa_folder, "--json", "--system", words, *SHORT, input="Hello\n")
    plain, changed = prompt_tokens(told)
    assert changed > plain
    assert [changed] == prompt_tokens(given)
