# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of this code on a computer, which nodes must have in common to render alike."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gdr_core import __version__

ROOT = Path(__file__).resolve().parents[4]
"""The folder that has the packages."""
_PACKAGES = ("blendtorch", "gdr_addon", "gdr_core", "trainer/rendering")


def code_id() -> str:
    """Return the version and a digest of all code that takes part in rendering.

    The same wherever it is installed, and whatever ends the lines of its files.
    """
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode())
            digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return f"{__version__} ({digest.hexdigest()[:8]})"
