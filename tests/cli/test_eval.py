"""`casa eval` runs benchmarks with and without CASA, and goes on where it stopped."""

import json

import pytest
from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, modelapi

from casa.data.held_out import held_out_queries
from casa.evaluation.presets import OFFLINE

from .conftest import json_lines

SMALL = ("--benchmark", "xstest", "--queries", "2", "--max-new-tokens", "4", "--batch-size", "4")


def test_the_list_names_every_benchmark(run):
    from casa.evaluation.benchmarks import BENCHMARKS

    (cards,) = json_lines(run("eval", "--list", "--json"))
    assert [card["name"] for card in cards] == list(BENCHMARKS)
    assert all(card["licence"] and card["obtain"] for card in cards)
    shown = run("eval", "--list").stdout
    assert all(name in shown for name in BENCHMARKS)


def test_the_plan_says_how_much_is_asked(run, tiny_casa_folder):
    (plan,) = json_lines(run("eval", tiny_casa_folder, *SMALL, "--dry-run", "--json"))
    (planned,) = plan["benchmarks"]
    assert (planned["benchmark"], planned["items"], planned["harmful"], planned["skipped"]) == ("xstest", 4, 2, None)
    assert plan["most_new_tokens"] == 4 * 2 * 4 and plan["text_tokens_read"] == 2 * (planned["characters"] // 4)
    assert plan["judge"] is None and plan["seconds"] is None


def test_the_plan_says_what_a_judge_costs(run, tiny_casa_folder):
    arguments = ("eval", tiny_casa_folder, *SMALL, "--judge", "openai/x", "--judge-price", "1/2", "--dry-run")
    (plan,) = json_lines(run(*arguments, "--json"))
    assert plan["judge"]["calls"] == 2 * (2 * 2 + 2)
    assert plan["judge_dollars"] == pytest.approx((plan["judge"]["tokens_read"] + 2 * 12 * 32) / 1e6)
    assert "at most 12 calls" in run(*arguments).stderr
    assert run("eval", tiny_casa_folder, *SMALL, "--judge-price", "cheap", "--dry-run").exit_code == 2


def test_media_that_the_model_does_not_take_are_skipped(run, tiny_casa_folder):
    path = tiny_casa_folder.parent / "base" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "untrained_media": ["image"]}))
    arguments = ("--benchmark", "mm_safetybench", "--queries", "2", "--dry-run", "--json")
    (plan,) = json_lines(run("eval", tiny_casa_folder, *arguments))
    assert "no image" in plan["benchmarks"][0]["skipped"]


def test_a_run_is_summed_up_and_not_repeated(run, tiny_casa_folder, tmp_path):
    arguments = ("eval", tiny_casa_folder, *SMALL, "--out", tmp_path / "logs", "--json")
    first = run(*arguments)
    assert first.exit_code == 0, first.output
    _, summary = json_lines(first) if len(json_lines(first)) == 2 else (None, json_lines(first)[-1])
    models = {row["model"] for row in summary}
    assert models == {f"casa/{tiny_casa_folder}", f"undefended/{tiny_casa_folder}"}
    assert {row["harmful"] for row in summary} == {True, False}
    assert all((row["flagged"] is None) == row["model"].startswith("undefended/") for row in summary)
    (plan,) = json_lines(run(*arguments, "--dry-run", "--timed-by", tmp_path / "logs"))
    assert plan["seconds"] >= 0 and plan["untimed_items"] == 0
    logs = sorted((tmp_path / "logs").glob("*.eval"))
    again = run(*arguments)
    assert json_lines(again)[-1] == summary
    assert sorted((tmp_path / "logs").glob("*.eval")) == logs


def test_the_offline_suite_measures_inside_the_model_too_and_only_once(run, tiny_casa_folder, tmp_path):
    logs = tmp_path / "logs"
    arguments = (
        tiny_casa_folder,
        "--suite",
        "offline",
        "--benchmark",
        "xstest",
        "--limit",
        "1",
        "--max-new-tokens",
        "2",
    )
    result = run("eval", *arguments, "--out", logs)
    assert result.exit_code == 0, result.output
    files = {path.stem: path for path in (logs / "measured").glob("*.json")}
    assert files.keys() == {"states", "lengths", "suffix", "noise", "latency"}
    made = {name: path.stat().st_mtime_ns for name, path in files.items()}
    assert run("eval", *arguments, "--out", logs).exit_code == 0
    assert {name: path.stat().st_mtime_ns for name, path in files.items()} == made
    assert run("report", logs, "--out", tmp_path / "report").exit_code == 0
    page = (tmp_path / "report" / "report.html").read_text()
    sections = ("Attack success", "Buried in long texts", "An attacker with the weights", "Hidden states", "Cost")
    assert all(f">{title}</h2>" in page for title in sections[1:])


def test_a_suite_sets_what_is_not_given(run, tiny_casa_folder):
    def plan(*options):
        return json_lines(run("eval", tiny_casa_folder, "--benchmark", "advbench", *options, "--dry-run", "--json"))[0]

    suite, own = plan("--suite", "offline"), plan("--suite", "offline", "--queries", "3", "--max-new-tokens", "5")
    assert suite["benchmarks"][0]["items"] == OFFLINE.queries
    assert suite["most_new_tokens"] == 2 * OFFLINE.queries * OFFLINE.max_tokens
    assert own["most_new_tokens"] == 2 * 3 * 5


def test_a_base_model_is_asked_alone(run, tiny_casa_folder, tmp_path):
    base = tiny_casa_folder.with_name("base")
    result = run("eval", base, *SMALL, "--suite", "offline", "--out", tmp_path / "logs", "--json")
    assert result.exit_code == 0, result.output
    assert {row["model"] for row in json_lines(result)[-1]} == {f"undefended/{base}"}
    assert "asked alone" in " ".join(result.stderr.split()) and not (tmp_path / "logs" / "measured").exists()


@modelapi("foreign")
class Foreign(ModelAPI):
    """A provider that, unlike ours, takes no batch size."""

    def __init__(self, model_name, base_url=None, api_key=None, config=GenerateConfig()):  # noqa: B008
        super().__init__(model_name, base_url, api_key, [], config)

    async def generate(self, input, tools, tool_choice, config):
        return ModelOutput.from_content(self.model_name, "I can't help with that.")


def test_another_model_is_asked_by_its_own_provider(run, tiny_casa_folder, tmp_path):
    result = run("eval", tiny_casa_folder, *SMALL, "--no-base", "--other", "foreign/m", "--out", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    complied = {
        row["harmful"]: row["complied"]["rate"] for row in json_lines(result)[-1] if row["model"] == "foreign/m"
    }
    assert complied == {True: 0.0, False: 0.0}


@pytest.mark.parametrize(
    "arguments", [("--benchmark", "nothing"), ("--data", "xstest"), ("--data", "nothing=here"), ("--data", "xstest=")]
)
def test_unknown_names_are_wrong_usage(run, arguments):
    assert run("eval", *arguments).exit_code == 2


def test_data_that_are_not_there_are_one_line(run, tiny_casa_folder):
    result = run("eval", tiny_casa_folder, "--benchmark", "xstest", "--data", "xstest=/nowhere", "--dry-run")
    assert result.exit_code == 3
    assert "no folder" in result.stderr and "Traceback" not in result.output


def test_a_leak_is_told_and_gives_exit_code_1(run, tmp_path):
    text = held_out_queries("test", 0)["lookalike"][0].text
    train = tmp_path / "train.jsonl"
    train.write_text(json.dumps({"text": text, "label": "benign", "response": "x"}))
    result = run("eval", "--check-leak", train, "--benchmark", "xstest")
    assert result.exit_code == 1 and "xstest" in result.stdout
    train.write_text(json.dumps({"text": "How do trains brake?", "label": "benign", "response": "x"}))
    assert run("eval", "--check-leak", train, "--benchmark", "xstest").exit_code == 0
