"""Only readable Latin fonts are found, and a design never crosses the split."""

import shutil
from pathlib import Path

import pytest

from casa.data.reading import split_of
from casa.errors import CasaError
from casa.nano.pictures.fonts import (
    PRINTABLE,
    design_of,
    families_of,
    find_families,
    font_folders,
    is_readable,
    load_font,
    metrics,
)


def bundled(name):
    return next(file for folder in font_folders() for file in folder.rglob(name))


def test_every_font_draws_each_printable_character_in_its_own_way(families):
    for family in families:
        font = load_font(family.files[0], 32)
        drawn = {(mask.size, bytes(mask)) for mask in map(font.getmask, PRINTABLE)}
        assert len(drawn) == len(PRINTABLE), family.name


@pytest.mark.parametrize("name", ["cmex10.ttf", "cmsy10.ttf", "cmr10.ttf", "STIXNonUni.ttf", "DejaVuSansDisplay.ttf"])
def test_symbol_fonts_and_fonts_with_other_glyphs_under_latin_codes_are_refused(name):
    assert not is_readable(bundled(name))


def test_a_file_that_is_no_font_is_refused(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    assert not is_readable(tmp_path / "broken.ttf")
    assert find_families((tmp_path,)) == ()


@pytest.mark.parametrize(
    ("family", "design"),
    [
        ("Roboto Condensed Light", "Roboto"),
        ("Liberation Sans Narrow", "Liberation Sans"),
        ("Arimo", "Liberation Sans"),
        ("Noto Sans Thai", "Noto Sans"),
        ("Noto Sans Mono", "Noto Sans Mono"),
        ("Noto Serif Display", "Noto Serif"),
        ("EB Garamond 08", "EB Garamond"),
    ],
)
def test_widths_weights_scripts_and_clones_are_one_design(family, design):
    assert design_of(family) == design


def test_each_family_is_on_one_side_by_its_name_alone(families):
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    files = [file for family in families for file in family.files]
    assert len(files) == len(set(files))
    assert all(family.split == split_of(f"font:{family.name}") for family in families)


def test_the_sides_are_disjoint_and_complete(families):
    sides = [families_of(split) if split in {f.split for f in families} else () for split in ("train", "dev", "test")]
    assert sorted(family.name for side in sides for family in side) == [family.name for family in families]


def test_a_style_found_twice_is_taken_from_the_first_folder(tmp_path):
    folders = (tmp_path / "one", tmp_path / "two")
    for folder in folders:
        folder.mkdir()
        shutil.copy(bundled("DejaVuSans.ttf"), folder)
    (family,) = find_families(folders)
    assert family.files == (folders[0] / "DejaVuSans.ttf",)


def test_too_few_families_name_the_packages_to_install(tmp_path):
    with pytest.raises(CasaError, match="0 font families for train where 1 are needed") as caught:
        families_of("train", folders=[tmp_path])
    assert "apt-get install fonts-dejavu" in str(caught.value)


def test_metrics_hold_every_character(families):
    for family in families:
        file, size = family.files[-1], 24
        found = metrics(file, size)
        for character in PRINTABLE:
            _, top, _, bottom = load_font(file, size).getbbox(character, anchor="ls")
            assert -found.up <= top and bottom <= found.down
        assert 0 < found.x_height < found.up


def test_folders_that_do_not_exist_hold_no_fonts():
    assert find_families((Path("/no/such/folder"),)) == ()


def test_without_matplotlib_the_systems_folders_are_left(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert Path("/usr/share/fonts") in font_folders()
    assert not any("mpl-data" in str(folder) for folder in font_folders())
