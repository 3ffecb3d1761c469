"""A small encoder, labels that need no language model, and clips of sines."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

from casa.nano.audio.labels import Labels
from casa.nano.audio.start import Start, write_start
from casa.nano.audio.whisper import FRESH, TINY_EN
from casa.nano.speech import clips
from casa.nano.speech.clips import Clip, Settings
from casa.nano.speech.effects import SAMPLE_RATE

SHAPE = {**TINY_EN, "encoder_layers": 3, "encoder_attention_heads": 2, "encoder_ffn_dim": 48, "d_model": 32}
WIDTH = 24
WORDS = ("low", "middle", "high", "a", "b")
LABELS = Labels(tuple(f" {word}" for word in WORDS), tuple(range(10, 15)), {w: (i + 1,) for i, w in enumerate(WORDS)})
PITCHES = dict(zip(WORDS, (200, 450, 1000, 2000, 3500), strict=True))


def stock_encoder(added=0):
    torch.manual_seed(0)
    shape = {**SHAPE, "encoder_layers": SHAPE["encoder_layers"] + added}
    config = Qwen2_5OmniAudioEncoder.config_class(**shape, output_dim=WIDTH)
    return Qwen2_5OmniAudioEncoder(config).float().eval()


def sine(words, rng):
    """A tone for each word, of random lengths, parted by silence."""
    parts = []
    for word in words:
        times = np.arange(rng.integers(3000, 5000)) / SAMPLE_RATE
        parts += [0.3 * np.sin(2 * np.pi * PITCHES[word] * times), np.zeros(rng.integers(1500, 3000))]
    return np.concatenate(parts).astype(np.float32)


def write_sines(folder: Path, count: int, seed: int, shard: int = 8) -> None:
    """Clips of tones, every fourth a spelled word, laid out as `casa.nano.speech.clips` does."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        kind, words = ("spelled", WORDS[3:]) if number % 4 == 3 else ("sentence", WORDS[:3])
        chosen = [str(word) for word in rng.choice(words, rng.integers(1, 4))]
        audio = sine(chosen, rng)
        text = " ".join(chosen)
        made.append((Clip(number, kind, text, text, "sine", "s", len(audio) / SAMPLE_RATE, 0, len(audio)), audio))
    folder.mkdir(parents=True)
    (folder / clips.SETTINGS).write_text(json.dumps(asdict(Settings("train", count, seed))))
    for first in range(0, count, shard):
        clips._write_shard(folder, f"clips-{first // shard:05d}", made[first : first + shard])


def write_sines_start(path: Path) -> Path:
    """A random encoder, and embeddings as far apart as the language model's."""
    weights = {name: value for name, value in stock_encoder().state_dict().items() if name not in FRESH}
    generator = torch.Generator().manual_seed(1)
    embeddings = 0.6 * torch.randn(len(WORDS) + 1, WIDTH, generator=generator)
    write_start(path, Start(weights, embeddings[1:], embeddings[0], LABELS))
    return path
