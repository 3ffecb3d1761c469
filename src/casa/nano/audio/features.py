"""`python -m casa.nano.audio.features FOLDER`: caches what the frozen lower half of the tower makes of a folder's clips.

Beside the clips, in `states-2` (the number of layers above), one float16 file a shard. A run that was killed goes
on with the same command.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from casa.errors import DataError
from casa.nano.audio.head import LowerEncoder, frames_of, load_encoder, present
from casa.nano.audio.start import read_start
from casa.nano.audio.whisper import TINY_EN
from casa.nano.speech.clips import SETTINGS, Clip, read_audio, shards
from casa.nano.speech.effects import SAMPLE_RATE, Audio

CLAIM = "cache.json"
_HOP = 160  # samples a mel frame


def extractor() -> Any:
    """The feature extractor of casa-nano's processor."""
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor(feature_size=TINY_EN["num_mel_bins"], return_attention_mask=True)


def mel_features(clips: Sequence[Audio], device: torch.device) -> tuple[Tensor, Tensor]:
    """Log-mel features as Qwen2.5-Omni's processor makes them, without its padding to 30 s.

    Args:
        clips: samples within [-1, 1] at 16 kHz, each of at most 30 s.
        device: that computes them.

    Returns:
        Features (batch, mel bins, frames), zero where padded, and the clips' frames (batch,).
    """
    extract = extractor()
    longest = max(map(len, clips)) + extract.n_fft  # so far the silence behind a clip reaches into its last frames
    longest = min(-(-longest // _HOP) * _HOP, extract.n_samples)
    made = extract(
        list(clips),
        sampling_rate=SAMPLE_RATE,
        padding="max_length",
        max_length=longest,
        return_attention_mask=True,
        return_tensors="pt",
        device=str(device),
    )
    lengths = made["attention_mask"].sum(dim=1)
    size = int(lengths.max())
    mask = present(lengths, size)[:, None]
    return (made["input_features"][:, :, :size] * mask).to(device), lengths.to(device)


def frame_counts(clips: Sequence[Clip]) -> list[int]:
    """Cached frames of each clip, 50 a second."""
    mel = torch.tensor([-(-clip.samples // _HOP) for clip in clips])
    return frames_of(mel).tolist()


def states_folder(clips: Path, layers: int) -> Path:
    """Where the states of a folder's clips are that enter the tower's last `layers` layers."""
    return clips / f"states-{layers}"


def cache_states(
    clips: Path,
    start: Path,
    layers: int,
    device: torch.device,
    bf16: bool = False,
    batch_size: int = 32,
    shape: Mapping[str, int] = TINY_EN,
) -> Path:
    """Computes the states of all shards that have none yet.

    Args:
        clips: folder of clips.
        start: file that `casa.nano.audio.start` wrote.
        layers: last layers of the tower, which are trained.
        device: that computes them.
        bf16: in bfloat16, which errs by 1 % of the states' standard deviation, a tenth of the noise in training.
        batch_size: clips.
        shape: of the encoder.

    Returns:
        The folder of the states.

    Raises:
        DataError: there are no clips, or the cache is of other clips or of another encoder.
    """
    indices, folder = shards(clips), states_folder(clips, layers)
    weights = read_start(start)
    made_of = {"clips": json.loads((clips / SETTINGS).read_text()), "encoder": weights.encoder_sha256, "layers": layers}
    _claim(folder, made_of)
    missing = [index for index in indices if not _cached(folder, index).is_file()]
    if not missing:
        return folder
    encoder = LowerEncoder(shape, shape["encoder_layers"] - layers).eval()
    load_encoder(encoder, weights.encoder)
    encoder.to(device)
    with Progress(console=Console(stderr=True)) as progress:
        for index in progress.track(missing, description=f"encoder states of {clips}"):
            states = _shard_states(read_audio(index), encoder, device, bf16, batch_size)
            partial = folder / f"{index.stem}.partial"
            with partial.open("wb") as file:
                np.save(file, np.concatenate(states))
            partial.replace(_cached(folder, index))
    return folder


@torch.inference_mode()
def _shard_states(
    clips: Sequence[Audio], encoder: LowerEncoder, device: torch.device, bf16: bool, batch_size: int
) -> list[np.ndarray[Any, Any]]:
    """States (frames, width) of each clip, float16."""
    states: list[Any] = [None] * len(clips)
    order = sorted(range(len(clips)), key=lambda i: len(clips[i]))  # like lengths together: little padding
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        mel, lengths = mel_features([clips[i] for i in chosen], device)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            made = encoder(mel, lengths).half().cpu().numpy()
        for i, row, length in zip(chosen, made, frames_of(lengths).tolist(), strict=True):
            states[i] = row[:length]
    return states


def _cached(folder: Path, index: Path) -> Path:
    return folder / f"{index.stem}.npy"


def _claim(folder: Path, content: dict[str, Any]) -> None:
    path = folder / CLAIM
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != content:
        raise DataError(f"{folder} was made from other clips or another encoder (see {CLAIM}); remove it")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder that `python -m casa.nano.speech.clips` wrote")
    parser.add_argument("--start", type=Path, default=Path("runs/audio_start.safetensors"))
    parser.add_argument("--layers", type=int, default=2, help="last layers of the tower, which are trained")
    parser.add_argument("--bf16", action="store_true", help="half the time on processors with bfloat16 arithmetic")
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    cache_states(options.clips, options.start, options.layers, device, options.bf16)


if __name__ == "__main__":
    main()
