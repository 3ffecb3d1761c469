"""Where this package keeps what it has made and can make again."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_root() -> Path:
    """Folder for assembled models: `$CASA_CACHE`, or the user's cache folder."""
    return Path(os.environ["CASA_CACHE"]) if os.environ.get("CASA_CACHE") else user_cache_path("casa")
