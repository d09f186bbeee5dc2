# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import time
from pathlib import Path

_PATIENCE_S = 2.0


def replace(fresh: Path, path: Path) -> None:
    """Put a file that is complete in the place of another.

    On Windows a virus scanner, an indexer or a backup may have the old one open for a moment, so
    that it is tried again for two seconds.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            os.replace(fresh, path)
            return
        except PermissionError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def write_text(path: Path, text: str) -> None:
    """Write a whole file, or leave what was there."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    replace(fresh, path)
