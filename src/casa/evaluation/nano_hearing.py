"""`python -m casa.evaluation.nano_hearing CLIPS`: how well casa-nano's audio tower alone hears; writes results/nano_hearing.json.

CLIPS is a folder of held-out voices and texts that `python -m casa.nano.speech.clips --split test` wrote. Each of the tower's
vectors is read as the nearest piece of the language model's, which takes no part: what it makes of them, `nano_perception` says.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from casa.evaluation.measurement import write_result
from casa.evaluation.perception import error_rate
from casa.hashing import sha256_of
from casa.nano.audio.batches import StateClips
from casa.nano.audio.features import cache_states
from casa.nano.audio.head import BLANK_NAME, TOWER_FILE, UpperEncoder, load_upper, trained_layers
from casa.nano.audio.read import Heard, transcripts
from casa.nano.audio.start import read_start
from casa.nano.audio.whisper import TINY_EN
from casa.nano.speech.clips import SETTINGS, Clip
from casa.nano.trained import trained_folder
from casa.nano.vision.read import edit_distance


@torch.inference_mode()
def transcribed(
    clips: Path, start: Path, tower: Path, device: torch.device, shape: Mapping[str, int] = TINY_EN
) -> tuple[list[Clip], list[Heard]]:
    """The clips of a folder, and what a trained tower hears in each.

    Args:
        clips: the folder; encoder states are cached in it.
        start: file that `casa.nano.audio.start` wrote.
        tower: file that the training wrote.
        device: that computes it.
        shape: of the encoder.

    Raises:
        CasaError: a file is missing, or the tower does not fit the encoder.
    """
    begun, weights = read_start(start), load_file(tower)
    own = shape["encoder_layers"]
    trained = trained_layers(weights, own)
    layers, added = own - trained.start, trained.stop - own
    upper = UpperEncoder(shape, layers, begun.embeddings.shape[1], added)
    load_upper(upper, weights)
    upper.to(device).eval()
    classes = torch.cat([weights[BLANK_NAME].float()[None], begun.embeddings]).to(device)
    data = StateClips([(clips, cache_states(clips, start, layers, device, shape=shape))], begun.labels)
    return data.clips, transcripts(upper, data, classes, begun.labels, batch_size=32)


def hearing_figures(clips: Sequence[Clip], heard: Sequence[Heard]) -> dict[str, Any]:
    """Word error rates of sentences and letter error rates of spelled words, of all and by synthesizer, as far as there are any.

    And the mean closeness of the vectors that say something; None where all are silent.

    Args:
        clips: what was said.
        heard: what was heard; the letters of a spelled word are words.
    """
    texts, near = [one.text for one in heard], [cosine for one in heard for cosine in one.closeness]
    said = [clip.transcript.split() for clip in clips]
    wrong = np.array([edit_distance(text.split(), one) for text, one in zip(texts, said, strict=True)])
    length = np.array([len(one) for one in said])
    spelled = np.array([clip.kind == "spelled" for clip in clips])
    synthesizer = np.array([clip.synthesizer for clip in clips])

    def rates(chosen: np.ndarray) -> dict[str, Any]:
        kinds = {"word_error_rate": chosen & ~spelled, "letter_error_rate": chosen & spelled}
        return {name: error_rate(wrong[rows], length[rows])._asdict() for name, rows in kinds.items() if rows.any()}

    return {
        "all": rates(np.ones(len(clips), dtype=bool)),
        "closeness": sum(near) / len(near) if near else None,
        "by_synthesizer": {str(name): rates(synthesizer == name) for name in np.unique(synthesizer)},
    }


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder that `python -m casa.nano.speech.clips` wrote")
    parser.add_argument("--tower", type=Path, default=trained_folder() / "audio" / TOWER_FILE)
    parser.add_argument("--start", type=Path, default=Path("runs/audio_start.safetensors"))
    parser.add_argument("--out", type=Path, default=Path("results/nano_hearing.json"))
    options = parser.parse_args()
    settings = json.loads((options.clips / SETTINGS).read_text(encoding="utf-8"))
    options.split, options.seed = settings["split"], settings["seed"]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    figures = hearing_figures(*transcribed(options.clips, options.start, options.tower, device))
    write_result(options, device, {"tower_sha256": sha256_of(options.tower), "clips": settings["count"], **figures})


if __name__ == "__main__":
    main()
