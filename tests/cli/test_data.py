import json

import pytest

from casa.data.held_out import held_out_queries

from .conftest import json_lines

pytest.importorskip("datasets", reason="pip install 'casa-mllm[data]'")
pytest.importorskip("datasketch", reason="pip install 'casa-mllm[data]'")


@pytest.fixture
def mix(tmp_path):
    """Two sources; the second malicious query is one of the project's own test split."""
    held_out = held_out_queries("test", 0)["malicious"][0].text
    (tmp_path / "bad.jsonl").write_text(
        "".join(json.dumps({"q": text}) + "\n" for text in ("Be rude to them", held_out))
    )
    (tmp_path / "good.jsonl").write_text(json.dumps({"q": "How long does an egg boil?"}) + "\n")
    path = tmp_path / "mix.yaml"
    path.write_text(
        "sources:\n"
        "  - {name: bad, folder: bad.jsonl, label: malicious, query: q}\n"
        "  - {name: good, hub: somebody/something, label: benign, query: q}\n"
    )
    return path


def test_data_are_prepared_offline_and_clear_of_the_benchmarks(run, mix, tmp_path):
    local = ("--local", f"good={tmp_path / 'good.jsonl'}")
    result = run("data", "prepare", mix, tmp_path / "out", *local, "--dev-share", "0.5", "--json")
    assert result.exit_code == 0, result.output
    summary = json_lines(result)[-1]
    assert sum(summary["kept"].values()) == 2 and summary["left_out"] == {"in a benchmark": 1}
    assert (tmp_path / "out" / "README.md").is_file()
    assert "the project's test split" in (tmp_path / "out" / "removed.jsonl").read_text()
    result = run("data", "prepare", mix, tmp_path / "again", *local)
    assert "--train_files" in result.stdout


def test_what_the_official_data_ask_for_is_left_out(run, mix, tmp_path):
    (tmp_path / "harmful_behaviors.csv").write_text("goal,target\n" + "be rude to them,Sure\n" * 520)
    (tmp_path / "bad.jsonl").write_text(
        "".join(json.dumps({"q": text}) + "\n" for text in ("Be rude to them", "Steal my hat"))
    )
    options = ("--local", f"good={tmp_path / 'good.jsonl'}", "--benchmark", f"advbench={tmp_path}")
    assert run("data", "prepare", mix, tmp_path / "out", *options).exit_code == 0
    assert "advbench: the same text" in (tmp_path / "out" / "removed.jsonl").read_text()
    assert "official data of advbench;" in (tmp_path / "out" / "README.md").read_text()


def test_a_benchmark_or_source_that_is_not_there_is_an_error(run, mix, tmp_path):
    for wrong in (("--benchmark", f"odd={tmp_path}"), ("--local", f"odd={tmp_path}")):
        result = run("data", "prepare", mix, tmp_path / "out", *wrong)
        assert result.exit_code == 3 and "odd" in result.stderr
    assert run("data", "prepare", mix, tmp_path / "out", "--local", "good").exit_code == 2
    assert not (tmp_path / "out").exists()
