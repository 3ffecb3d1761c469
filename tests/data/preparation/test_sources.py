import pytest

from casa.data.preparation.sources import Row, Source, read_sources
from casa.errors import DataError

pytest.importorskip("datasets", reason="pip install 'casa-mllm[data]'")


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.parquet"])
def test_every_format_is_read(write, name):
    path = write(name, [{"q": " one ", "a": "eins"}, {"q": "two", "a": "zwei"}])
    rows = list(Source("s", "benign", "q", folder=str(path), answer="a").rows())
    assert rows == [Row("s-1", "one", "benign", "eins", "s"), Row("s-2", "two", "benign", "zwei", "s")]


def test_columns_are_joined_filtered_and_of_a_malicious_source_no_answer_is_read(mix):
    bad, good = read_sources(mix, {})
    assert [row.answer for row in bad.rows()] == [None, None]
    assert not any("never read" in row.text for row in bad.rows())
    assert not list(Source("s", "malicious", "q", folder=bad.folder, where={"flag": False}).rows())
    both = Source("s", "benign", ["instruction", "output"], folder=good.folder)
    assert next(both.rows()).text == "Name three rivers in France.\n\nAn answer to Name three rivers in France."


def test_a_local_copy_stands_in_for_a_source(mix, write):
    other = write("other.json", [{"q": "x", "input": None, "flag": True}])
    assert [row.text for row in read_sources(mix, {"bad": other})[0].rows()] == ["x"]
    with pytest.raises(DataError, match="no source odd; it has bad, good"):
        read_sources(mix, {"odd": other})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{name: s, label: malicious, query: q, folder: f, answer: a}", "takes no answer"),
        ("{name: s, label: odd, query: q, folder: f}", "label"),
        ("{name: s, label: benign, query: q}", "either hub or folder"),
        ("{name: s, label: benign, query: q, hub: a/b, folder: f}", "either hub or folder"),
        ("{name: s, label: benign, query: q, folder: f, colour: red}", "no field colour"),
        ("{name: s, label: benign, folder: f}", "query"),
        ("{name: s, label: benign, query: q, folder: f, limit: 0}", "limit"),
        ("7", ""),
    ],
)
def test_a_malformed_source_is_refused(tmp_path, entry, message):
    path = tmp_path / "mix.yaml"
    path.write_text(f"sources:\n  - {entry}\n")
    with pytest.raises(DataError, match=message):
        read_sources(path, {})


@pytest.mark.parametrize(
    ("rows", "message"),
    [([{"other": "x"}], "row 1, has no column q; it has other"), ([{"q": 3}], "row 1, q is no text but int")],
)
def test_a_missing_column_or_a_value_that_is_no_text_is_named(write, rows, message):
    with pytest.raises(DataError, match=message):
        list(Source("s", "benign", "q", folder=str(write("a.json", rows))).rows())


def test_a_folder_that_is_missing_or_empty_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        list(Source("s", "benign", "q", folder=str(tmp_path / "nowhere")).rows())
    with pytest.raises(DataError, match="holds no file"):
        list(Source("s", "benign", "q", folder=str(tmp_path)).rows())


def test_a_file_that_is_no_json_is_a_data_error(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        list(Source("s", "benign", "q", folder=str(tmp_path)).rows())
