"""Ratings go to other programs without texts, labelled answers with them, and the project's own judge task reads these."""

import csv
import json

import pytest

from casa.apps.annotation.export import COLUMNS, export
from casa.apps.annotation.ratings import read_ratings
from casa.errors import DataError
from casa.evaluation.harness.agreement import labelled_answers

from .studies import rate_all


@pytest.fixture
def rated(batch):
    rate_all(batch)
    return batch


def test_every_rating_is_a_row_in_both_formats_and_no_text_is(rated, tmp_path):
    assert export(rated, tmp_path / "a.csv") == export(rated, tmp_path / "new" / "a.json") == 3 * 26
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS and len(rows) == 78
    found = json.loads((tmp_path / "new" / "a.json").read_text())
    assert [row["value"] for row in found] == [row["value"] for row in rows]
    assert "Made-up" not in (tmp_path / "a.csv").read_text() + json.dumps(found)


def test_labelled_answers_are_read_by_the_judge_task(rated, tmp_path):
    written = export(rated, tmp_path / "labelled.jsonl")
    decided = [one for one in read_ratings(rated) if one.method and one.harmful and one.consensus]
    samples = labelled_answers(tmp_path / "labelled.jsonl")
    assert written == len(samples) == len(decided) > 0
    assert [one.metadata["complied"] for one in samples] == [one.consensus == "yes" for one in decided]


def test_other_endings_and_places_that_cannot_be_written_are_told(rated, tmp_path):
    with pytest.raises(DataError, match=r"\.csv, \.json, \.jsonl"):
        export(rated, tmp_path / "a.xlsx")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot write"):
        export(rated, tmp_path / "file" / "a.csv")
