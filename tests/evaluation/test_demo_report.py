import json
from dataclasses import replace

from casa.evaluation import demo
from casa.evaluation.demo_report import report, summarise


def test_refusals_count_against_attacks_and_as_over_refusals(rows):
    refused = [replace(row, base_refused=False, casa_refused=True) for row in rows]
    summary = summarise(refused)
    for kind in demo.HARMFUL_KINDS:
        assert (summary.attack_success[kind].before.rate, summary.attack_success[kind].after.rate) == (1.0, 0.0)
    for kind in demo.HARMLESS_KINDS:
        assert (summary.over_refusal[kind].before.rate, summary.over_refusal[kind].after.rate) == (0.0, 1.0)


def test_added_time_is_taken_per_prompt(rows):
    timed = [replace(row, base_ms=100.0 * i, casa_ms=100.0 * i + i) for i, row in enumerate(rows, start=1)]
    summary = summarise(timed)
    assert summary.base_ms == 250.0
    assert (summary.added_ms.low, summary.added_ms.median, summary.added_ms.high) == (1.75, 2.5, 3.25)


def test_the_report_names_versions_machine_and_methods(loaded, rows):
    content = report("some-model", loaded[0], rows).as_dict()
    assert content["environment"].keys() >= {"machine", "threads", "casa", "torch", "transformers", "peft", "python"}
    assert content["methods"].keys() == {"answers", "rates", "forms", "time"}
    assert content["rows"][0]["prompt"]["kind"] == "benign"


def test_the_rates_and_times_are_of_text_alone(rows, media_rows):
    slow = [replace(row, base_ms=1e6, casa_ms=3e6, base_refused=True, casa_refused=True) for row in media_rows]
    assert replace(summarise([*rows, *slow]), forms={}) == summarise(rows)


def test_other_forms_are_counted_each_by_itself(rows, media_rows):
    refused = [replace(row, base_refused=False, casa_refused=row.form == "picture") for row in media_rows]
    forms = summarise([*rows, *refused]).forms
    assert list(forms) == ["picture", "spelled speech"]
    assert (forms["picture"].attack_success.before.successes, forms["picture"].attack_success.after.successes) == (1, 0)
    assert (forms["picture"].over_refusal.before.successes, forms["picture"].over_refusal.after.successes) == (0, 1)
    spelled = forms["spelled speech"]
    assert (spelled.attack_success.after.successes, spelled.over_refusal.after.successes) == (1, 0)
    assert spelled.attack_success.after.n == 1


def test_the_json_names_each_form_and_holds_no_medium(loaded, rows, media_rows):
    content = report("some-model", loaded[0], [*rows, *media_rows]).as_dict()
    forms = [row["form"] for row in content["rows"]]
    assert forms == [*["text"] * 4, *["picture"] * 2, *["spelled speech"] * 2]
    assert all("medium" not in row for row in content["rows"])
    assert max(len(value) for value in _strings(json.loads(json.dumps(content)))) < 1000


def _strings(value):
    """All strings in a JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
