"""Features are the processor's, states are the stock tower's, and the cache goes on where it stopped."""

import shutil

import numpy as np
import pytest
import torch

from casa.errors import DataError
from casa.model.bases import load_processor
from casa.nano.audio import features
from casa.nano.audio.features import cache_states, frame_counts, mel_features
from casa.nano.audio.start import read_start
from casa.nano.speech.clips import read_audio, read_clips, read_index, shards
from sines import SHAPE, write_sines

CPU = torch.device("cpu")


def noises(*lengths):
    rng = np.random.default_rng(0)
    return [(0.1 * rng.standard_normal(length)).astype(np.float32) for length in lengths]


@pytest.mark.parametrize("lengths", [(800, 16000), (15999, 16001, 40123), (480_000,), (479_900, 1000)])
def test_features_are_exactly_the_processors(lengths):
    processor, audio = load_processor("casa-nano"), noises(*lengths)
    inputs = processor(text="<|AUDIO|>" * len(audio), audio=audio, sampling_rate=16000, return_tensors="pt")
    mel, found = mel_features(audio, CPU)
    assert found.tolist() == inputs["feature_attention_mask"].sum(1).tolist()
    for row, expected, length in zip(mel, inputs["input_features"], found.tolist(), strict=True):
        assert torch.equal(row[:, :length], expected[:, :length])
        assert not row[:, length:].any()


def cache(folder, start_file):
    states = cache_states(folder, start_file, 2, CPU, batch_size=3, shape=SHAPE)
    return {path.name: np.load(path) for path in states.glob("*.npy")}


def test_every_clip_has_as_many_cached_frames_as_its_samples_say(sine_clips, start_file):
    found = cache(sine_clips / "train", start_file)
    for index in shards(sine_clips / "train"):
        states = found[f"{index.stem}.npy"]
        assert states.shape == (sum(frame_counts(read_index(index))), SHAPE["d_model"])
        assert states.dtype == np.float16
        assert np.isfinite(states).all()


def test_a_clips_states_do_not_depend_on_its_batch(sine_clips, start_file):
    found = cache(sine_clips / "dev", start_file)
    index = shards(sine_clips / "dev")[0]
    encoder = features.LowerEncoder(SHAPE, 1)
    features.load_encoder(encoder, read_start(start_file).encoder)
    alone = [features._shard_states([audio], encoder, CPU, False, 1)[0] for audio in read_audio(index)]
    np.testing.assert_allclose(np.concatenate(alone), found[f"{index.stem}.npy"], atol=2e-3)


def test_a_killed_cache_goes_on_and_ends_with_the_same_states(tmp_path, start_file, monkeypatch):
    write_sines(tmp_path / "clips", 24, seed=5)
    shutil.copytree(tmp_path / "clips", tmp_path / "whole")
    whole, calls = cache(tmp_path / "whole", start_file), []
    original = features._shard_states

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(features, "_shard_states", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache(tmp_path / "clips", start_file)
    again = cache(tmp_path / "clips", start_file)
    assert len(calls) == 4
    assert again.keys() == whole.keys()
    assert all(np.array_equal(again[name], whole[name]) for name in whole)


def test_a_cache_of_other_clips_is_an_error(tmp_path, start_file):
    write_sines(tmp_path / "clips", 4, seed=5)
    write_sines(tmp_path / "others", 4, seed=6)
    cache(tmp_path / "clips", start_file)
    (tmp_path / "clips" / "settings.json").write_bytes((tmp_path / "others" / "settings.json").read_bytes())
    with pytest.raises(DataError, match="other clips"):
        cache(tmp_path / "clips", start_file)


def test_shards_read_one_by_one_are_the_folders_clips(sine_clips):
    one_by_one = [clip for index in shards(sine_clips / "dev") for clip in read_index(index)]
    assert one_by_one == [clip for clip, _ in read_clips(sine_clips / "dev")]
