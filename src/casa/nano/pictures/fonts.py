"""Scalable Latin fonts of this machine, grouped by design, each design on one side of the split."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFont

from casa.data.reading import Split, split_of
from casa.errors import CasaError

PRINTABLE = "".join(map(chr, range(33, 127)))
PACKAGES = (
    "fonts-dejavu fonts-liberation2 fonts-roboto fonts-noto-core fonts-lato fonts-open-sans fonts-urw-base35 "
    "fonts-freefont-ttf fonts-comic-neue fonts-cantarell fonts-crosextra-caladea fonts-ebgaramond fonts-inconsolata "
    "fonts-quicksand fonts-courier-prime fonts-linuxlibertine fonts-firacode"
)
_SYSTEM_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/Library/Fonts",
    "C:/Windows/Fonts",
)
# Too thin to see at 16 px, or letters whose case cannot be told.
_UNFIT = re.compile(
    r"hairline|thin|(extra|ultra) ?light|\bSC\b|small ?caps|capitals|initials|outline|shadow|symbol", re.I
)
_VARIANT = re.compile(
    r" (condensed|semicondensed|extracondensed|narrow|light|medium|book|demi|semi ?bold|bold|black|heavy|display|O|\d+)$",
    re.I,
)
_SAME_DESIGN = {
    "Arimo": "Liberation Sans",
    "Tinos": "Liberation Serif",
    "Cousine": "Liberation Mono",
    "FreeSans": "Nimbus Sans",
    "TeX Gyre Heros": "Nimbus Sans",
    "TeX Gyre Heros Cn": "Nimbus Sans",
    "FreeSerif": "Nimbus Roman",
    "TeX Gyre Termes": "Nimbus Roman",
    "STIXGeneral": "Nimbus Roman",
    "FreeMono": "Nimbus Mono PS",
    "TeX Gyre Cursor": "Nimbus Mono PS",
    "TeX Gyre Bonum": "URW Bookman",
    "TeX Gyre Pagella": "P052",
    "TeX Gyre Schola": "C059",
    "TeX Gyre Adventor": "URW Gothic",
    "DejaVu Math TeX Gyre": "DejaVu Serif",
    "Bitstream Vera Sans": "DejaVu Sans",
    "Courier Prime Code": "Courier Prime",
    "Courier Prime Sans": "Courier Prime",
    "Hack": "DejaVu Sans Mono",
    "Carlito": "Lato",
    "Open Sans": "Noto Sans",
    "Droid Sans": "Noto Sans",
    "Noto Mono": "Noto Sans Mono",
}
_PROBE = 40  # px at which glyphs are compared
_LEAST_ALIKE = 3  # of the 26 small letters; Greek under Latin codes has one, the oddest italics four


@dataclass(frozen=True)
class Family:
    """Font files of one design.

    Attributes:
        name: the design; widths, weights and metric-compatible clones share it.
        files: its files, one a style.
        split: which side of the split it is on, by a hash of the name.
    """

    name: str
    files: tuple[Path, ...]
    split: Split


class Metrics(NamedTuple):
    """Extents of a font at one size, in px.

    Attributes:
        up: how far printable ASCII reaches over the baseline.
        down: how far below.
        x_height: of a small x.
        advances: from one character's start to the next one's, without kerning.
    """

    up: int
    down: int
    x_height: int
    advances: dict[str, float]


@lru_cache(maxsize=512)
def load_font(file: Path, size: int) -> ImageFont.FreeTypeFont:
    """The font at a size in px, with plain layout: one glyph a character, no ligatures."""
    return ImageFont.truetype(str(file), size, layout_engine=ImageFont.Layout.BASIC)


@cache
def metrics(file: Path, size: int) -> Metrics:
    """Extents of a font at a size in px."""
    font = load_font(file, size)
    _, top, _, bottom = font.getbbox(PRINTABLE, anchor="ls")
    x_height = -int(font.getbbox("x", anchor="ls")[1])
    return Metrics(
        -int(top), int(bottom), x_height, {character: font.getlength(character) for character in PRINTABLE + " "}
    )


def font_folders() -> tuple[Path, ...]:
    """Where fonts are looked for: the system's folders, then the few that matplotlib brings along."""
    spec = importlib.util.find_spec("matplotlib")
    places = (spec.submodule_search_locations or ()) if spec else ()
    bundled = [Path(place) / "mpl-data/fonts/ttf" for place in places]
    return (*(Path(folder).expanduser() for folder in _SYSTEM_FOLDERS), *bundled)


@lru_cache(maxsize=8)
def find_families(folders: tuple[Path, ...]) -> tuple[Family, ...]:
    """All families of readable Latin fonts under the folders, by name; a style found twice is taken from the first folder.

    Every file is looked at (some 10 ms each), once a process.
    """
    styles: dict[tuple[str, str], Path] = {}
    for folder in folders:
        for file in sorted(folder.rglob("*.[ot]tf")):
            name = _name(file)
            if name and name not in styles and not _UNFIT.search(" ".join(name)) and is_readable(file):
                styles[name] = file
    designs: dict[str, list[Path]] = {}
    for (family, _), file in sorted(styles.items()):
        designs.setdefault(design_of(family), []).append(file)
    return tuple(Family(name, tuple(files), split_of(f"font:{name}")) for name, files in sorted(designs.items()))


def families_of(split: Split, least: int = 1, folders: Sequence[Path] | None = None) -> tuple[Family, ...]:
    """The families on one side of the split.

    Args:
        split: "train", "dev" or "test".
        least: so many are needed.
        folders: where to look; None for `font_folders()`.

    Raises:
        CasaError: fewer are found; the message names packages that hold more.
    """
    places = font_folders() if folders is None else tuple(folders)
    found = tuple(family for family in find_families(places) if family.split == split)
    if len(found) < least:
        raise CasaError(
            f"{len(found)} font families for {split} where {least} are needed, in {', '.join(map(str, places))}. "
            f"Install more, for instance (Debian, Ubuntu)\n    apt-get install {PACKAGES}"
        )
    return found


def design_of(family: str) -> str:
    """The design that a font family belongs to: its name without width and weight, or what it is a clone of."""
    while (shorter := _VARIANT.sub("", family)) != family:
        family = shorter
    if noto := re.match(
        r"Noto (Sans|Serif)\b(?! Mono)", family
    ):  # one family a script, all with the same Latin letters
        family = noto.group()
    return _SAME_DESIGN.get(family, family)


def is_readable(file: Path) -> bool:
    """Whether the file draws every printable ASCII character, each as what it is: fonts do lie in their character maps."""
    try:
        font = load_font(file, _PROBE)
        glyphs = _glyphs(font)
    except OSError:
        return False
    missing = font.getmask("\U0010fffe")
    drawn = {(mask.size, bytes(mask)) for mask in glyphs.values() if mask.getbbox()}
    if len(drawn) < len(PRINTABLE) or (missing.size, bytes(missing)) in drawn:
        return False
    if any(np.abs(np.subtract(glyphs[a].size, glyphs[b].size)).max() > _PROBE / 10 for a, b in ("()", "<>", "{}")):
        return False
    nearest = ((_features(font)[:, None] - _reference()) ** 2).sum(-1).argmin(1)
    return sum(PRINTABLE[i].islower() and nearest[i] == i for i in range(len(PRINTABLE))) >= _LEAST_ALIKE


def _name(file: Path) -> tuple[str, str] | None:
    try:
        family, style = load_font(file, _PROBE).getname()
    except OSError:
        return None
    return (family, style or "") if family else None


def _glyphs(font: ImageFont.FreeTypeFont) -> dict[str, Any]:
    return {character: font.getmask(character) for character in PRINTABLE}


def _features(font: ImageFont.FreeTypeFont) -> np.ndarray:
    """What each printable character looks like: (94, 260), its normalised shape on a 16 x 16 grid and its box."""
    rows = []
    for character, mask in _glyphs(font).items():
        shape = Image.frombytes("L", mask.size, bytes(mask)).resize((16, 16), Image.Resampling.BOX)
        pixels = np.asarray(shape, dtype=np.float32).ravel()
        box = np.asarray(font.getbbox(character, anchor="ls"), dtype=np.float32) / font.size
        rows.append(np.concatenate([(pixels - pixels.mean()) / (16 * pixels.std() + 1e-6), 2 * box]))
    return np.stack(rows)


@lru_cache(maxsize=1)
def _reference() -> np.ndarray:
    """Pillow's built-in font, a plain sans-serif."""
    font = ImageFont.load_default(_PROBE)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return _features(font)
