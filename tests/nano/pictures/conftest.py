from __future__ import annotations

import pytest

from casa.nano.pictures.fonts import Family, find_families, font_folders


@pytest.fixture(scope="session")
def families() -> tuple[Family, ...]:
    """Whatever readable fonts this machine has, of all splits."""
    return find_families(font_folders())
