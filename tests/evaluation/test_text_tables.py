from casa.evaluation.text_tables import adapters_table, runs_table, sources_table, utility_table

from .samples import RATE, SOURCE


def test_the_utility_table():
    table = utility_table({"utility": {"benign": {"rouge_l": 0.5, "exact": RATE}}})
    assert table.splitlines()[-1] == "| benign | 0.500 | 25.0 (10.0-90.0) |"


def test_a_scenario_without_a_class_leaves_its_cells_empty():
    rate = {**RATE, "n": 4}
    lines = sources_table({"flagged_by_source": {"hate_speech": {"malicious": rate}}}).splitlines()
    assert lines[-1] == "| hate speech | 4 | 25.0 (10.0-90.0) |  |  |"


def test_the_table_of_runs_has_a_column_a_run():
    kinds = ("malicious", "jailbroken", "benign", "lookalike", "framed_benign")
    both = {"before": RATE, "after": {**RATE, "rate": 0.5}}
    measured = {
        "attack_success": dict.fromkeys(kinds[:2], both),
        "refused": dict.fromkeys(kinds[2:], both),
        "flagged_unsafe": dict.fromkeys(kinds, RATE),
        "auroc": {"malicious against benign": {"p_unsafe": {"value": 0.9}, "v_s": {"value": 0.8}}},
        "refused_after_forced_token": {token: {"malicious": RATE, "benign": RATE} for token in ("safe", "unsafe")},
        "utility": {"benign": {"rouge_l": 0.4}},
    }
    lines = runs_table({**SOURCE, "split": "test", "runs": {"log": measured, "none": measured}}).splitlines()
    assert lines[0] == "|  | `log` | `none` |"
    assert "| attack success % | 50.0 (10.0-90.0) | 50.0 (10.0-90.0) |" in lines
    assert "| benign look-alike: called unsafe % | 25.0 (10.0-90.0) | 25.0 (10.0-90.0) |" in lines
    assert "| AUROC of v_s alone | 0.800 | 0.800 |" in lines


def test_the_adapters_table_has_a_row_an_adapter():
    rates = dict.fromkeys(("malicious", "jailbroken", "benign", "lookalike", "framed_benign"), RATE)
    areas = {"malicious against benign": {"p_unsafe": 0.9, "v_s": 0.85}}
    sizes = {"adapter_sha256": "0123456789", "examples": 5, "total_steps": 20}
    adapter = {**sizes, "attack_success": rates, "flagged_unsafe": rates, "auroc": areas}
    lines = adapters_table({**SOURCE, "adapters": [adapter]}).splitlines()
    assert lines[2] == "| 01234567 | 5 | 20 " + "| 25.0 (10.0-90.0) " * 5 + "| 0.900 | 0.850 |"
