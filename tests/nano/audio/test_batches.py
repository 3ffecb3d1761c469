"""Batches hold clips of like length, each once an epoch, in an order that the seed decides."""

import pytest
import torch

from casa.errors import DataError
from casa.nano.audio.batches import LengthBatches, StateClips, collate
from casa.nano.audio.features import cache_states
from sines import LABELS, SHAPE

LENGTHS = [(37 * i) % 101 for i in range(100)]


def test_every_clip_comes_once_an_epoch():
    batches = list(LengthBatches(LENGTHS, 10, epochs=2, seed=0))
    assert len(batches) == 20
    for half in (batches[:10], batches[10:]):
        assert sorted(clip for batch in half for clip in batch) == list(range(100))


def test_batches_hold_clips_of_like_length_in_no_order_of_length():
    batches = list(LengthBatches(LENGTHS, 10, epochs=1, seed=0))
    assert all(max(LENGTHS[i] for i in batch) - min(LENGTHS[i] for i in batch) <= 12 for batch in batches)
    shortest = [min(LENGTHS[i] for i in batch) for batch in batches]
    assert shortest != sorted(shortest)


def test_the_seed_decides_the_order():
    first, again, other = (list(LengthBatches(LENGTHS, 10, 2, seed)) for seed in (0, 0, 1))
    assert first == again != other


def test_too_few_clips_for_a_batch_are_an_error():
    with pytest.raises(DataError, match="do not fill"):
        LengthBatches(LENGTHS, 101, 1, 0)


def test_a_batch_is_padded_states_with_the_transcripts_classes(sine_clips, start_file):
    folder = sine_clips / "train"
    states = cache_states(folder, start_file, 2, torch.device("cpu"), shape=SHAPE)
    clips = StateClips([(folder, states)], LABELS, limit=11)
    assert len(clips) == len(clips.clips) == 11
    batch = collate([clips[number] for number in (2, 9)])
    assert batch["frames"].tolist() == [clips.lengths[2], clips.lengths[9]]
    for row, number in enumerate((2, 9)):
        length = int(batch["target_lengths"][row])
        assert LABELS.decode(batch["targets"][row, :length].tolist()) == clips.clips[number].transcript
        assert not batch["states"][row, clips.lengths[number] :].any()
