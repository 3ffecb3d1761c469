from casa.evaluation.perception_tables import hearing_table, perception_table, reading_table

from .samples import SOURCE

RATE = {"rate": 0.25, "low": 0.1, "high": 0.4, "items": 7}


def test_the_hearing_table_leaves_empty_what_a_synthesizer_did_not_say():
    result = {
        **SOURCE,
        "all": {"word_error_rate": RATE, "letter_error_rate": RATE},
        "closeness": 0.625,
        "by_synthesizer": {"flite": {"word_error_rate": RATE}},
    }
    lines = hearing_table(result).splitlines()
    assert lines[2] == "| all | 25.0 (10.0-40.0) | 7 | 25.0 (10.0-40.0) | 7 |"
    assert lines[3] == "| flite | 25.0 (10.0-40.0) | 7 |  | 0 |"
    assert "0.62" in lines[5]


def test_the_reading_table_has_both_ways_of_reading_and_scenes():
    text = {"by_pieces": RATE, "by_characters": RATE, "closeness": 0.625}
    lines = reading_table({**SOURCE, "instructions": text, "lists": text, "scenes": {"by_pieces": RATE}}).splitlines()
    assert lines[2] == "| instructions | 7 | 25.0 (10.0-40.0) | 25.0 (10.0-40.0) | 0.62 |"
    assert lines[4] == "| scenes | 7 | 25.0 (10.0-40.0) | | |"


def test_the_perception_table_has_a_row_for_each_rate_and_each_form():
    result = {
        **SOURCE,
        "word error rate of speech": RATE,
        "right answers on scenes": {"rate": 0.5, "low": 0.2, "high": 0.8, "n": 9},
        "followed as text is": {"speech": {"rouge_l": 0.375}},
    }
    lines = perception_table(result).splitlines()
    assert lines[2:5] == [
        "| word error rate of speech | 7 | 25.0 (10.0-40.0) |",
        "| right answers on scenes | 9 | 50.0 (20.0-80.0) |",
        "| ROUGE-L of answers to a speech with those to the same text | | 37.5 |",
    ]
