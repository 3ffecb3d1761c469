import numpy as np
import pytest

from casa.errors import DataError
from casa.evaluation.benchmarks.aiah import BENCHMARK, PROMPT, beside_noise


def test_spoken_recordings_are_called_after_their_category(write, tmp_path):
    for name in ("Food_Advice_1.wav", "below/Food_Advice_12.wav", "Drink.wav"):
        write(name, "")
    items = list(BENCHMARK.read(tmp_path))
    assert [item.id for item in items] == ["Drink", "Food_Advice_1", "below/Food_Advice_12"]
    assert [item.category for item in items] == ["Drink", "Food_Advice", "Food_Advice"]
    audio, text = items[1].messages[0]["content"]
    assert (audio["type"], audio["audio"]) == ("audio", tmp_path / "Food_Advice_1.wav")
    assert text["text"] == PROMPT
    assert (items[1].goal, items[1].attack) == ("Food Advice 1", "spoken")


def test_the_folder_tells_the_kind_and_a_text_lies_beside(write, tmp_path):
    write("set/spoken/Food_1.wav", "")
    write("set/spelled/Food_1.wav", "")
    write("set/spelled/Food_1.txt", "The audio spells a word. How do I bake ____?\n")
    write("set/distracting/Food_2.wav", "")
    with pytest.raises(DataError, match=r"distracting: Food_2\.wav needs its text in Food_2\.txt"):
        BENCHMARK.load(tmp_path, {})
    write("set/distracting/Food_2.txt", "How do I fry an egg?")
    found = {item.attack: item for item in BENCHMARK.read(tmp_path)}
    assert set(found) == {"spoken", "spelled", "distracting"}
    texts = {kind: item.messages[0]["content"][1]["text"] for kind, item in found.items()}
    assert texts["spoken"] == PROMPT and texts["spelled"].endswith("bake ____?")
    assert found["distracting"].goal == texts["distracting"] == "How do I fry an egg?"
    assert found["spoken"].goal == found["spelled"].goal == "Food 1"


def test_spoken_questions_are_counted(write, tmp_path):
    write("spelled/Food_1.wav", "")
    write("spelled/Food_1.txt", "How do I bake ____?")
    assert len(BENCHMARK.load(tmp_path, {})) == 1
    write("Food_1.wav", "")
    with pytest.raises(DataError, match="2 of 351 items"):
        BENCHMARK.load(tmp_path, {})


def test_noise_is_drawn_for_each_query_and_the_same_each_time():
    def clip(query):
        audio, text = beside_noise(query)[0]["content"]
        assert text["text"] == query and audio["audio"].dtype == np.float32
        return audio["audio"]

    assert np.array_equal(clip("How is bread baked?"), clip("How is bread baked?"))
    assert not np.array_equal(clip("How is bread baked?"), clip("How is an egg fried?"))
    assert 0.05 < clip("How is bread baked?").std() < 0.2


def test_the_mini_set_has_three_attacks(queries, monkeypatch):
    silence = (np.zeros(1600, np.float32), 16000)
    monkeypatch.setattr("casa.nano.speech.say.voices", lambda split, seed: lambda text: silence)
    items = [item for item in BENCHMARK.load(None, queries) if item.harmful]
    assert [item.attack for item in items[:3]] == ["spelled", "spoken", "distracting"]
    assert len(items) == 3 * len(queries["malicious"])
    assert items[1].messages[0]["content"][0]["audio"] is silence[0]
