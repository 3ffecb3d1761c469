"""Near-duplicates by MinHash (Broder 1997), found by locality-sensitive hashing and confirmed by their exact similarity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.progress import track

from casa.data.overlap import words
from casa.errors import MissingDependencyError

NEAR = 0.8  # similarity from which one of two texts is left out
ALIKE = 0.5  # similarity from which two texts stay on one side of a split
_LETTERS = 5  # of a shingle: short queries have too few words
# Bands of permutations: a pair of similarity s is compared with probability 1 - (1 - s^4)^32, 0.87 at ALIKE and 1 at NEAR.
_BANDS, _ROWS = 32, 4


class Pair(NamedTuple):
    """Two texts that are alike.

    Attributes:
        earlier: index of the first.
        later: index of the second.
        similarity: Jaccard's, of their shingles, in [ALIKE, 1].
    """

    earlier: int
    later: int
    similarity: float


def similar_pairs(texts: Sequence[str]) -> Iterator[Pair]:
    """Pairs of texts that are alike, in the order of the second; a few that are barely so may be missed.

    Raises:
        MissingDependencyError: datasketch is not installed.
    """
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError as error:
        raise MissingDependencyError("near-duplicates need datasketch: pip install 'casa-mllm[data]'") from error
    index = MinHashLSH(num_perm=_BANDS * _ROWS, params=(_BANDS, _ROWS))
    for later, text in enumerate(track(texts, "near-duplicates", console=Console(stderr=True))):
        mine = shingles(text)
        sketch = MinHash(num_perm=_BANDS * _ROWS, seed=1)
        sketch.update_batch([shingle.encode() for shingle in mine])
        for earlier in sorted(index.query(sketch)):
            if (found := similarity(mine, shingles(texts[earlier]))) >= ALIKE:
                yield Pair(earlier, later, found)
        index.insert(later, sketch)


def shingles(text: str) -> set[str]:
    """Every five letters in a row of a text's words."""
    joined = " ".join(words(text))
    return {joined[start : start + _LETTERS] for start in range(max(1, len(joined) - _LETTERS + 1))}


def similarity(left: set[str], right: set[str]) -> float:
    """Jaccard's: what they share of what either has, in [0, 1]."""
    return len(left & right) / len(left | right)
