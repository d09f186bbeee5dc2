# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a process's output goes, for one that stays while it works for one run after the other."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from pathlib import Path

log = logging.getLogger(__name__)


def redirect(path: str) -> None:
    """Write to the end of this file what the process prints from now on; nowhere if it is "".

    Standard output and standard error alike, those of libraries included. A file that cannot be
    written is passed over: the run is no worse for it.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    try:
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        log.warning("The output cannot be written to %s: %s", path, error)
        return
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    os.close(file)
