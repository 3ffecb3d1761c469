import shutil
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from casa.errors import DataError, SpeechError
from casa.nano.common import common_words
from casa.nano.speech import clips
from casa.nano.speech.clips import Settings, main, make_clip, read_clips, write_clips
from casa.nano.speech.corpus import Corpus
from casa.nano.speech.effects import SAMPLE_RATE
from casa.nano.speech.spelling import transcript
from casa.nano.speech.voices import ESPEAK, FLITE, VOICES
from casa.nano.vision.vocabulary import load_tokenizer

CORPUS = Corpus(
    sentences=tuple(
        f"this is sentence number {word}," for word in ("one", "two", "three", "four", "five", "six", "seven")
    ),
    carriers=("please say lemur once more", "please say okapi once more"),
    spellable=("lemur", "okapi", "sentence"),
)
SETTINGS = Settings("train", count=23, seed=4, shard=5)


class Beeps:
    """Beeps as long as the text; `stop_after` calls it is interrupted."""

    name = "beeps"
    voices = ()

    def __init__(self, stop_after=None):
        self.calls, self.stop_after = 0, stop_after

    def say(self, text, voice, rate=1.0, pitch=1.0):
        if self.calls == self.stop_after:
            raise KeyboardInterrupt
        self.calls += 1
        times = np.arange(int(400 * len(text) / rate)) / 8000
        return (0.3 * np.sin(2 * np.pi * 300 * pitch * times)).astype(np.float32), 8000


@pytest.fixture(autouse=True)
def small_corpus(monkeypatch):
    monkeypatch.setattr(clips, "read_corpus", lambda split, least, seed: CORPUS)


def write(folder, settings=SETTINGS, beeps=None):
    beeps = beeps or Beeps()
    write_clips(folder, settings, {ESPEAK: beeps, FLITE: beeps})
    return beeps


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("stop_after", [0, 3, 5, 12, 22])
def test_a_run_that_was_killed_goes_on_and_ends_with_the_same_files(tmp_path, stop_after):
    write(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "killed", beeps=Beeps(stop_after))
    again = write(tmp_path / "killed")
    assert again.calls == SETTINGS.count - stop_after // SETTINGS.shard * SETTINGS.shard
    assert content(tmp_path / "killed") == content(tmp_path / "whole")
    assert write(tmp_path / "killed").calls == 0


def test_a_shard_without_an_index_is_made_again(tmp_path):
    write(tmp_path)
    whole = content(tmp_path)
    (tmp_path / "clips-00001.jsonl").unlink()
    (tmp_path / "clips-00001.flac").write_bytes(b"half")
    assert write(tmp_path).calls == SETTINGS.shard
    assert content(tmp_path) == whole


def test_common_words_are_said_in_carrier_sentences_alone(tmp_path):
    write(tmp_path, replace(SETTINGS, common=True, least=2))
    made = [clip for clip, _ in read_clips(tmp_path)]
    assert {clip.kind for clip in made} == {"carrier"}
    common = set(common_words(load_tokenizer()))
    assert all(len(common & set(clip.transcript.split())) >= 4 for clip in made)
    assert len({clip.text for clip in made}) == SETTINGS.count


@pytest.mark.parametrize("change", [{"seed": 5}, {"count": 24}, {"split": "test"}])
def test_a_folder_of_other_settings_is_left_alone(tmp_path, change):
    write(tmp_path)
    whole = content(tmp_path)
    with pytest.raises(DataError, match="other settings"):
        write(tmp_path, Settings(**{"split": "train", "count": 23, "seed": 4, "shard": 5, **change}))
    assert content(tmp_path) == whole


def test_a_folder_of_another_corpus_is_left_alone(tmp_path, monkeypatch):
    write(tmp_path)
    monkeypatch.setattr(
        clips, "read_corpus", lambda *_: Corpus(CORPUS.sentences[1:], CORPUS.carriers, CORPUS.spellable)
    )
    with pytest.raises(DataError, match="other settings or texts"):
        write(tmp_path)


def test_what_is_read_is_what_was_made(tmp_path):
    write(tmp_path)
    read = list(read_clips(tmp_path))
    assert [clip.number for clip, _ in read] == list(range(SETTINGS.count))
    for clip, audio in read:
        made, samples = make_clip(clip.number, SETTINGS, CORPUS, {ESPEAK: Beeps(), FLITE: Beeps()})
        assert (made.text, made.voice, made.seconds) == (clip.text, clip.voice, clip.seconds)
        np.testing.assert_allclose(audio, samples, atol=1e-4)
        assert clip.seconds == pytest.approx(len(audio) / SAMPLE_RATE, abs=1e-3)
        assert clip.transcript == transcript(clip.text)


def test_a_folder_without_clips_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no clips"):
        next(read_clips(tmp_path))


def made(settings, count):
    beeps = {ESPEAK: Beeps(), FLITE: Beeps()}
    return [make_clip(number, settings, CORPUS, beeps)[0] for number in range(count)]


def test_all_texts_of_a_kind_are_said_equally_often_and_kinds_have_their_shares():
    drawn = made(SETTINGS, 350)
    kinds = Counter(clip.kind for clip in drawn)
    assert kinds["carrier"] == 112
    assert kinds["spelled"] == 49
    for kind in ("sentence", "carrier"):
        counts = Counter(clip.text for clip in drawn if clip.kind == kind)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_a_mixed_clip_holds_one_spelled_word():
    mixed = [clip for clip in made(SETTINGS, 350) if clip.kind == "mixed"]
    assert mixed
    assert all(clip.transcript.startswith("this is s e n t e n c e number ") for clip in mixed)


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_clips_of_a_split_are_said_by_its_voices(split):
    voices = {(voice.synthesizer, voice.name) for voice in VOICES if voice.split == split}
    assert {(clip.synthesizer, clip.voice) for clip in made(Settings(split, 60), 60)} <= voices


def test_a_clip_that_fails_is_named():
    class Broken(Beeps):
        def say(self, *_, **__):
            raise SpeechError("silence")

    with pytest.raises(SpeechError, match=r"clip 2 .*: silence"):
        make_clip(2, SETTINGS, CORPUS, {ESPEAK: Broken(), FLITE: Broken()})


def test_a_clip_longer_than_whispers_window_is_an_error():
    class Slow(Beeps):
        def say(self, *_, **__):
            return np.full(8000 * 40, 0.1, np.float32), 8000

    with pytest.raises(SpeechError, match="the most is 30"):
        make_clip(0, SETTINGS, CORPUS, {ESPEAK: Slow(), FLITE: Slow()})


@pytest.mark.skipif(not (shutil.which("espeak-ng") and shutil.which("flite")), reason="espeak-ng or flite is missing")
def test_the_command_writes_speech(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["clips", "--out", str(tmp_path), "--count", "12", "--split", "test"])
    main()
    for clip, audio in read_clips(tmp_path):
        assert 0.5 < clip.seconds < 15
        assert 0.02 < np.abs(audio).max() <= 1
