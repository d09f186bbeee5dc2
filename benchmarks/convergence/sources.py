# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version of the program made a record, so that a table does not mix them unseen."""

from __future__ import annotations

import functools
import hashlib

from .scene import ROOT

_WHAT_COUNTS = (
    "gdr_addon/renderers/**/*.py",
    "gdr_addon/scenes/**/*.py",
    "gdr_core/**/*.py",
    "trainer/**/*.py",
    "benchmarks/convergence/baselines/*.py",
    *(
        f"benchmarks/convergence/{name}.py"
        for name in ("contestants", "job", "nuisances", "pictures", "scene", "tasks")
    ),
)


@functools.cache
def fingerprint() -> str:
    """Return a digest of the sources that a record depends on."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _WHAT_COUNTS for path in ROOT.glob(pattern)):
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
