"""`python -m casa.nano.speech.clips --out FOLDER --count N --split train`: says texts and writes them as shards of clips.

A shard is `clips-00000.flac`, its clips one behind another, and `clips-00000.jsonl`, one line a clip. A clip depends on the
settings and its number alone, so that a run that was killed goes on with the same command and ends with the same files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from string import ascii_lowercase
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import Progress

from casa.data.reading import Split
from casa.errors import DataError, MissingDependencyError, SpeechError
from casa.nano.speech import effects
from casa.nano.speech.corpus import Corpus, carriers, read_corpus
from casa.nano.speech.effects import SAMPLE_RATE, Audio
from casa.nano.speech.spelling import FORMS, spelled, transcript, with_spelled_word
from casa.nano.speech.synthesizers import SYNTHESIZERS, Synthesizer
from casa.nano.speech.voices import DEFAULT_SYNTHESIZERS, sample_voice

Kind = Literal["sentence", "carrier", "spelled", "mixed"]

FORMAT = 1  # raise it when the same settings give other clips
SETTINGS = "settings.json"
LONGEST_CLIP = 30.0  # seconds, one window of Whisper's encoder
_SHARD = 500  # clips
_KINDS: dict[Kind, int] = {"sentence": 23, "carrier": 16, "spelled": 7, "mixed": 4}  # of 50 clips
_RANDOM_LETTERS = 0.25  # share of spelled words that are letters drawn evenly: words alone hardly hold a q


@dataclass(frozen=True)
class Settings:
    """All that decides a set of clips, besides the corpus.

    Attributes:
        split: of texts and voices; only training clips are distorted.
        count: clips.
        seed: of everything drawn.
        least: occurrences of each word in the training texts, by carrier sentences where need be.
        common: says the language model's commonest words, in carrier sentences alone.
        synthesizers: names, as in `SYNTHESIZERS`.
        shard: clips in a file.
    """

    split: Split
    count: int
    seed: int = 0
    least: int = 20
    common: bool = False
    synthesizers: tuple[str, ...] = DEFAULT_SYNTHESIZERS
    shard: int = _SHARD


@dataclass(frozen=True)
class Clip:
    """One clip's line in the index.

    Attributes:
        number: from 0.
        kind: a sentence, a carrier sentence of rare words, a spelled word, or a sentence with a spelled word.
        text: what the synthesizer was given.
        transcript: what is heard, see `spelling.transcript`.
        synthesizer, voice: who says it.
        seconds: duration.
        start, samples: where it is in the shard's audio file.
    """

    number: int
    kind: Kind
    text: str
    transcript: str
    synthesizer: str
    voice: str
    seconds: float
    start: int
    samples: int


def write_clips(folder: Path, settings: Settings, synthesizers: Mapping[str, Synthesizer]) -> None:
    """Writes all shards that are not there yet.

    Args:
        folder: for the shards; made if need be.
        settings: what to make.
        synthesizers: by name, those that `settings` names.

    Raises:
        DataError: the folder holds clips of other settings or of another corpus.
        SpeechError: a clip cannot be made; it names the clip.
        MissingDependencyError: soundfile or soxr is not installed.
    """
    _soundfile()  # if it is missing, that is told before the first shard is made
    corpus = _corpus(settings)
    _claim(folder, settings, corpus)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(f"clips ({settings.split})", total=settings.count)
        for first in range(0, settings.count, settings.shard):
            numbers = range(first, min(first + settings.shard, settings.count))
            name = f"clips-{first // settings.shard:05d}"
            if (folder / f"{name}.jsonl").is_file():
                progress.advance(task, len(numbers))
                continue
            made = []
            for number in numbers:
                made.append(make_clip(number, settings, corpus, synthesizers))
                progress.advance(task)
            _write_shard(folder, name, made)


def _corpus(settings: Settings) -> Corpus:
    if not settings.common:
        return read_corpus(settings.split, settings.least, settings.seed)
    from casa.nano.common import common_words
    from casa.nano.vision.vocabulary import load_tokenizer

    return Corpus((), tuple(carriers((), common_words(load_tokenizer()), settings.least, settings.seed)), ())


def make_clip(
    number: int, settings: Settings, corpus: Corpus, synthesizers: Mapping[str, Synthesizer]
) -> tuple[Clip, Audio]:
    """Clip `number`, its samples at `effects.SAMPLE_RATE`; its place in the shard's file is not known yet (0)."""
    rng = np.random.default_rng([settings.seed, number])
    kind, text = _text(number, settings.seed, corpus, rng)
    voice = sample_voice(rng, settings.split, settings.synthesizers)
    rate, pitch = rng.uniform(0.82, 1.15), 2 ** rng.uniform(-0.2, 0.2)
    try:
        audio, sample_rate = synthesizers[voice.synthesizer].say(text, voice.name, rate, pitch)
        audio = effects.resampled(audio, sample_rate)
        audio = _distorted(audio, rng) if settings.split == "train" else effects.at_loudness(audio, -22.0)
        if len(audio) > LONGEST_CLIP * SAMPLE_RATE:
            raise SpeechError(f"lasts {len(audio) / SAMPLE_RATE:.1f} seconds, the most is {LONGEST_CLIP:g}")
    except SpeechError as error:
        raise SpeechError(f"clip {number} ({text!r} by {voice.synthesizer} {voice.name}): {error}") from error
    seconds = round(len(audio) / SAMPLE_RATE, 3)
    return Clip(number, kind, text, transcript(text), voice.synthesizer, voice.name, seconds, 0, len(audio)), audio


def _text(number: int, seed: int, corpus: Corpus, rng: np.random.Generator) -> tuple[Kind, str]:
    """What clip `number` says. The texts of a kind come in turn, in a new order each round: all are said equally often."""
    kind, earlier = _kind(number) if corpus.sentences else ("carrier", number)
    form = FORMS[rng.integers(len(FORMS))]
    if kind == "spelled" and rng.random() < _RANDOM_LETTERS:
        return kind, spelled("".join(rng.choice(list(ascii_lowercase), rng.integers(3, 9))), form)
    if kind == "spelled":
        return kind, spelled(corpus.spellable[rng.integers(len(corpus.spellable))], form)
    if kind == "carrier" and not corpus.carriers:
        kind = "sentence"
    texts = corpus.carriers if kind == "carrier" else corpus.sentences
    turn, position = divmod(earlier, len(texts))
    sentence = texts[_order(len(texts), seed, turn)[position]]
    if kind != "mixed":
        return kind, sentence
    if places := _spellable_places(sentence, corpus):
        return kind, with_spelled_word(sentence, places[rng.integers(len(places))], form)
    return "sentence", sentence


def _kind(number: int) -> tuple[Kind, int]:
    """Kind of clip `number`, and how many clips of that kind come before it."""
    kinds = [kind for kind, share in _KINDS.items() for _ in range(share)]
    block, position = divmod(number, len(kinds))
    return kinds[position], block * _KINDS[kinds[position]] + kinds[:position].count(kinds[position])


@lru_cache(maxsize=4)
def _order(length: int, seed: int, turn: int) -> Sequence[int]:
    return tuple(np.random.default_rng([seed, turn, length]).permutation(length).tolist())


def _spellable_places(sentence: str, corpus: Corpus) -> list[int]:
    words = [transcript(word) for word in sentence.split()]
    return [place for place, word in enumerate(words) if word in corpus.spellable]


def _distorted(audio: Audio, rng: np.random.Generator) -> Audio:
    """A recording as it might be: another speed, a room, noise, some loudness; each but the last in part of the clips only."""
    if rng.random() < 0.5:
        audio = effects.at_speed(audio, rng.uniform(0.93, 1.07))
    if rng.random() < 0.3:
        audio = effects.reverberated(audio, rng.uniform(0.1, 0.5), rng.uniform(0.1, 0.5), rng)
    if rng.random() < 0.5:
        audio = effects.with_noise(audio, rng.uniform(10, 35), rng, rng.uniform(0, 2))
    return effects.at_loudness(audio, rng.uniform(-32, -16))


def _claim(folder: Path, settings: Settings, corpus: Corpus) -> None:
    """Writes the settings into the folder, or compares them with those that are there."""
    content = {"format": FORMAT, **asdict(settings), "texts": _fingerprint(corpus)}
    wanted = json.dumps(content, indent=2) + "\n"
    path = folder / SETTINGS
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _replace(path, wanted.encode())
    elif path.read_text(encoding="utf-8") != wanted:
        raise DataError(f"{folder} holds clips of other settings or texts (see {SETTINGS}); take another folder")


def _fingerprint(corpus: Corpus) -> str:
    return hashlib.sha256(
        "\n".join((*corpus.sentences, "", *corpus.carriers, "", *corpus.spellable)).encode()
    ).hexdigest()


def _write_shard(folder: Path, name: str, made: Sequence[tuple[Clip, Audio]]) -> None:
    """Audio first, index last: a shard that has an index is complete."""
    soundfile = _soundfile()
    starts = accumulate((clip.samples for clip, _ in made), initial=0)
    samples = np.round(np.concatenate([audio for _, audio in made]) * 32767).astype(np.int16)
    partial = folder / f"{name}.flac.partial"
    soundfile.write(partial, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    partial.replace(folder / f"{name}.flac")
    lines = [json.dumps(asdict(replace(clip, start=start))) for (clip, _), start in zip(made, starts, strict=False)]
    _replace(folder / f"{name}.jsonl", ("\n".join(lines) + "\n").encode())


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def read_clips(folder: Path) -> Iterator[tuple[Clip, Audio]]:
    """All clips of a folder in order, their samples within [-1, 1] at `effects.SAMPLE_RATE`.

    Raises:
        DataError: the folder holds no clips.
    """
    for index in shards(folder):
        yield from zip(read_index(index), read_audio(index), strict=True)


def shards(folder: Path) -> list[Path]:
    """The index files of a folder's complete shards, in order.

    Raises:
        DataError: the folder holds no clips.
    """
    indices = sorted(folder.glob("clips-*.jsonl"))
    if not indices:
        raise DataError(f"no clips in {folder}")
    return indices


def read_index(index: Path) -> list[Clip]:
    """The clips of one shard, without their samples."""
    return [Clip(**json.loads(line)) for line in index.read_text(encoding="utf-8").splitlines()]


def read_audio(index: Path) -> list[Audio]:
    """The samples of one shard's clips, within [-1, 1] at `effects.SAMPLE_RATE`."""
    audio, _ = _soundfile().read(index.with_suffix(".flac"), dtype="float32")
    return [audio[clip.start : clip.start + clip.samples] for clip in read_index(index)]


def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError as error:
        raise MissingDependencyError("clips need soundfile. Install it with\n    pip install soundfile") from error
    return soundfile


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the shards")
    parser.add_argument("--count", type=int, required=True, help="clips")
    parser.add_argument("--split", choices=["train", "dev", "test"], default="train", help="of texts and voices")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--least", type=int, default=20, help="occurrences of each word in the training texts")
    parser.add_argument(
        "--common", action="store_true", help="say the language model's commonest words; needs casa-nano"
    )
    parser.add_argument("--synthesizers", nargs="+", choices=list(SYNTHESIZERS), default=list(DEFAULT_SYNTHESIZERS))
    options = parser.parse_args()
    settings = Settings(
        options.split,
        options.count,
        options.seed,
        options.least,
        options.common,
        tuple(options.synthesizers),
    )
    write_clips(options.out, settings, {name: SYNTHESIZERS[name]() for name in settings.synthesizers})


if __name__ == "__main__":
    main()
