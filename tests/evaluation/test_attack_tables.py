from casa.evaluation.attack_tables import adaptive_table, attacks_table, benchmarks_table, carryover_table, length_table

from .samples import RATE, SOURCE


def test_the_attack_table_puts_refusals_of_benign_queries_beside_attack_success():
    both = {"before": RATE, "after": RATE}
    found = {"flagged_unsafe": {"malicious": RATE, "benign": RATE}, "attack_success": both, "refused_benign": both}
    table = attacks_table({**SOURCE, "attacks": {"none": found, "past_tense": found}})
    assert table.splitlines()[3] == "| past tense " + "| 25.0 (10.0-90.0) " * 6 + "|"
    assert "4 malicious" in table
    assert "abcdef0123" in table


def test_the_length_table_has_a_row_a_length():
    point = {"flagged_unsafe": RATE, "mean_v_s": 0.5}
    table = length_table({**SOURCE, "lengths": {"256": {"malicious": point, "benign": point}}})
    assert "| 256 | 4 | 25.0 (10.0-90.0) | 25.0 (10.0-90.0) | 0.50 | 0.50 |" in table


def test_the_adaptive_table_ends_with_the_last_step():
    points = [{"step": step, "broken": RATE} for step in range(8)]
    lines = adaptive_table({**SOURCE, "curve": points, "attack_success": RATE}).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:7]] == ["0", "1", "2", "5", "7"]
    assert "In the end 25.0 (10.0-90.0) %" in "\n".join(lines)


def test_the_carryover_table_has_a_row_a_form():
    both = {"before": RATE, "after": RATE}
    found = {
        "attack_success": both,
        "refused_benign": both,
        "flagged_unsafe": {"malicious": RATE, "benign": RATE},
        "auroc": {"p_unsafe": {"value": 0.9}, "risk": {"value": 0.8}},
    }
    lines = carryover_table({**SOURCE, "forms": {"speech": found}}).splitlines()
    assert lines[2] == "| speech " + "| 25.0 (10.0-90.0) " * 6 + "| 0.900 | 0.800 |"


def test_the_benchmarks_table_keeps_attack_success_and_refusals_apart():
    side = {"complied": RATE, "flagged": RATE, "unscored": 0}
    entry = {"benchmark": "xstest", "attack": "all", "before": {**side, "flagged": None}, "after": side}
    one_attack = {**entry, "harmful": True, "attack": "prefill 2"}
    entries = [{**entry, "harmful": True}, one_attack, {**entry, "harmful": False}]
    table = benchmarks_table({**SOURCE, "skipped": {"mme": "no image"}, "benchmarks": entries}).splitlines()
    rate, refused = "25.0 (10.0-90.0)", "75.0 (10.0-90.0)"
    assert table[2] == f"| xstest | harmful | 4 | {rate} | {rate} |  |  | {rate} |"
    assert table[3] == f"| xstest | harmless | 4 |  |  | {refused} | {refused} | {rate} |"
    assert table[5] == "Left out: mme (no image)."


def test_what_could_not_be_told_is_no_rate():
    told, untold = (
        {"complied": RATE, "flagged": RATE, "unscored": 1},
        {"complied": None, "flagged": None, "unscored": 4},
    )
    entry = {"benchmark": "xstest", "attack": "all", "harmful": False, "before": told, "after": untold}
    (line,) = benchmarks_table({**SOURCE, "skipped": {}, "benchmarks": [entry]}).splitlines()[2:3]
    assert line == "| xstest | harmless | 4 |  |  | 75.0 (10.0-90.0) | none | none |"
