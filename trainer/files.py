# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are there whole or not at all, in folders that one process at a time writes."""

from __future__ import annotations

import os
import time
from pathlib import Path

from filelock import FileLock, Timeout

from gdr_core.errors import BadSettings

_PATIENCE_S = 2.0


def lock_folder(folder: Path, busy: str) -> FileLock:
    """Make a folder, and keep other processes from writing it until the lock is released.

    Raises
    ------
    BadSettings
        It cannot be written; or ``busy``, a sentence, where another process has it.
    """
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise BadSettings(busy) from None
    except OSError as error:
        raise unwritable(folder, error) from error
    return lock


def unwritable(folder: Path, error: OSError) -> BadSettings:
    """Return what a person is told of a folder that cannot be written."""
    return BadSettings(f"The folder {folder} cannot be written ({why(error)}).")


def why(error: OSError) -> str:
    """Return the system's reason."""
    return error.strerror or type(error).__name__


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
