"""`python -m casa.nano.audio.start FILE`: writes what training starts from, so that it needs neither packages nor model.

About 22 MB in float16: Whisper's encoder, and the language model's embeddings of all pieces of the training corpus and of its
commonest words.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from casa.errors import DataError
from casa.nano.audio.labels import Labels, read_labels

_EMBEDDING = "thinker.model.embed_tokens.weight"


@dataclass(frozen=True)
class Start:
    """What training starts from.

    Attributes:
        encoder: Whisper's weights under the names of `Qwen2_5OmniAudioEncoder`, float32.
        embeddings: of the pieces, (pieces, width), float32.
        blank: embedding of " ", (width,), float32: where the blank vector starts.
        labels: the pieces.
    """

    encoder: dict[str, Tensor]
    embeddings: Tensor
    blank: Tensor
    labels: Labels

    @property
    def encoder_sha256(self) -> str:
        """SHA-256 of the encoder's names and weights, hexadecimal."""
        found = hashlib.sha256()
        for name, tensor in sorted(self.encoder.items()):
            found.update(name.encode() + tensor.numpy().tobytes())
        return found.hexdigest()


def make_start(path: Path) -> None:
    """Writes the file from the packaged weights, the assembled casa-nano and the corpus of the training clips.

    Raises:
        MissingDependencyError: packaged weights are missing; it names the line that installs them.
        CheckpointError: packaged weights are not the pinned ones.
    """
    from casa.cache import cache_root
    from casa.model.bases import load_processor
    from casa.model.families import tokenizer_of
    from casa.nano.audio.whisper import encoder_weights
    from casa.nano.build import ensure_nano
    from casa.nano.common import common_words
    from casa.nano.sources import SPEECH_ENCODER, packaged_file
    from casa.nano.speech.corpus import read_corpus
    from casa.nano.speech.spelling import transcript

    whisper = encoder_weights(packaged_file(SPEECH_ENCODER, cache_root()))
    tokenizer = tokenizer_of(load_processor("casa-nano"))
    corpus = read_corpus("train", least=1)  # carriers hold all words that a clip of any split may say
    texts = (*corpus.sentences, *corpus.carriers, *common_words(tokenizer))
    labels = read_labels(tokenizer, map(transcript, texts))
    with safe_open(ensure_nano() / "model.safetensors", "pt") as file:
        rows = file.get_tensor(_EMBEDDING)
    (space,) = tokenizer(" ", add_special_tokens=False)["input_ids"]
    write_start(path, Start(whisper, rows[list(labels.ids)], rows[space], labels))


def write_start(path: Path, start: Start) -> None:
    """Writes the file in float16."""
    tensors = {f"encoder.{name}": value for name, value in start.encoder.items()}
    tensors |= {"embeddings": start.embeddings, "blank": start.blank}
    labels = start.labels
    texts = {"pieces": json.dumps(labels.pieces), "ids": json.dumps(labels.ids), "words": json.dumps(labels.words)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    save_file({name: tensor.half().contiguous() for name, tensor in tensors.items()}, partial, metadata=texts)
    partial.replace(path)


def read_start(path: Path) -> Start:
    """Reads what `make_start` wrote.

    Raises:
        DataError: the file is missing.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing; make it with `python -m casa.nano.audio.start {path}`")
    with safe_open(path, "pt") as file:
        texts: dict[str, Any] = {name: json.loads(text) for name, text in file.metadata().items()}
        tensors = {name: file.get_tensor(name).to(torch.float32) for name in file.keys()}  # noqa: SIM118
    embeddings, blank = tensors.pop("embeddings"), tensors.pop("blank")
    words = {word: tuple(classes) for word, classes in texts["words"].items()}
    encoder = {name.removeprefix("encoder."): value for name, value in tensors.items()}
    return Start(encoder, embeddings, blank, Labels(tuple(texts["pieces"]), tuple(texts["ids"]), words))


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="to write, for instance runs/audio_start.safetensors")
    make_start(parser.parse_args().file)


if __name__ == "__main__":
    main()
