from .conftest import json_lines


def test_a_model_is_exported_and_checked(run, tiny_casa_folder, tmp_path):
    folder = tmp_path / "served"
    result = run("export", tiny_casa_folder, "--to", "vllm", folder, "--threshold", "0.3", "--json")
    assert json_lines(result) == [{"folder": str(folder), "threshold": 0.3}]
    assert "intact" in run("export", "--check", folder).stdout
    (folder / "safety_attention.safetensors").write_bytes(b"other")
    result = run("export", "--check", folder)
    assert result.exit_code == 3
    assert "not the file that was exported" in result.stderr


def test_wrong_usage_says_what_to_name(run, tmp_path):
    assert run("export", "casa-nano").exit_code == 2
    assert run("export", "casa-nano", tmp_path / "a", "--check").exit_code == 2
    assert run("export", "casa-nano", tmp_path / "a", "--to", "other").exit_code == 2


def test_a_threshold_that_would_be_ignored_is_wrong_usage(run, tmp_path):
    for ignoring in (("--to", "transformers", tmp_path / "a"), ("--check",)):
        result = run("export", "casa-nano", *ignoring, "--threshold", "0.3")
        assert result.exit_code == 2 and "--threshold" in result.stderr
