"""A whole preparation: what is written is what training reads."""

import json
from pathlib import Path

import pytest

from casa.data.overlap import Overlap
from casa.data.preparation.prepare import prepare
from casa.data.preparation.sources import read_sources
from casa.data.reading import read_examples
from casa.errors import DataError

from .conftest import BAD, GOOD

pytest.importorskip("datasets", reason="pip install 'casa-mllm[data]'")
pytest.importorskip("datasketch", reason="pip install 'casa-mllm[data]'")


def prepared(mix, folder, **options):
    return prepare(read_sources(mix, {}), folder, Overlap(), {"advbench": True, "figstep": False}, **options)


def test_training_reads_what_is_written(mix, tmp_path):
    summary = prepared(mix, tmp_path / "out", dev_share=0.4)
    examples = read_examples([summary["file"]])
    assert {e.text for e in examples if e.malicious} == set(BAD)
    assert {e.text: e.answer for e in examples if not e.malicious} == {text: f"An answer to {text}" for text in GOOD}
    assert {e.split for e in examples} <= {"train", "dev"}
    assert sum(summary["kept"].values()) == len(BAD) + len(GOOD)


def test_a_malicious_row_is_written_with_nothing_but_its_query(mix, tmp_path):
    rows = [json.loads(line) for line in Path(prepared(mix, tmp_path / "out")["file"]).read_text().splitlines()]
    for row in rows:
        if row["label"] == "malicious":
            assert set(row) == {"id", "text", "label", "pair", "split", "source"}
    assert "never read" not in "".join(path.read_text() for path in (tmp_path / "out").iterdir())


def test_queries_that_are_alike_are_of_one_split(write, mix, tmp_path):
    text = "the tide is made by the moon and by the sun, please explain"
    write("bad/list.json", [{"q": f"{text} {i} of {i}", "input": "", "flag": True} for i in range(40)])
    write("good.jsonl", [{"instruction": f"{text} {i}", "input": "", "output": "Yes."} for i in range(40)])
    examples = read_examples([prepared(mix, tmp_path / "out", dev_share=0.5)["file"]])
    groups = {e.group: {other.split for other in examples if other.group == e.group} for e in examples}
    assert all(len(splits) == 1 for splits in groups.values())
    assert any(len({e.malicious for e in examples if e.group == group}) == 2 for group in groups)


def test_the_card_names_sources_licences_counts_and_what_was_left_out(mix, tmp_path, write):
    write("bad/list.json", [{"q": text, "input": "", "flag": True} for text in [*BAD, BAD[0]]])
    prepared(mix, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| bad | malicious | a local folder | MIT | 2 |" in card
    assert "| good | benign | a local folder | not stated | 3 |" in card
    assert "| bad | 0 | 0 | 1 | 0 | 0 | 0 |" in card
    assert "Cleared of the official data of advbench;" in card and "stand in for figstep." in " ".join(card.split())
    removed = [json.loads(line) for line in (tmp_path / "out" / "removed.jsonl").read_text().splitlines()]
    assert removed == [{"id": "bad-3", "reason": "the same text", "of": "bad-1"}]


def test_data_that_are_there_are_not_overwritten(mix, tmp_path):
    before = Path(prepared(mix, tmp_path / "out")["file"]).read_text()
    with pytest.raises(DataError, match="not empty"):
        prepared(mix, tmp_path / "out", seed=1)
    assert (tmp_path / "out" / "queries.jsonl").read_text() == before


def test_one_class_alone_is_refused_and_nothing_is_written(mix, write, tmp_path):
    write("bad/list.json", [{"q": "", "input": "", "flag": True}])
    with pytest.raises(DataError, match="no malicious query"):
        prepared(mix, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_dev_share_out_of_range_is_refused(mix, tmp_path):
    with pytest.raises(DataError, match="dev share"):
        prepared(mix, tmp_path / "out", dev_share=1.0)
