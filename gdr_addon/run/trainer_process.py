# SPDX-License-Identifier: GPL-3.0-or-later
"""How the extension starts the trainer's Python. No bpy here."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from ...gdr_core import shared_names

_NOT_INHERITED = frozenset(
    {
        "PYTHONEXECUTABLE",
        "PYTHONHOME",
        "PYTHONNOUSERSITE",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PYTHONUSERBASE",
        "VIRTUAL_ENV",
        "__PYVENV_LAUNCHER__",
    }
)


def root_folder() -> Path:
    """Return the extension's root, which holds ``trainer``, ``gdr_core`` and ``blendtorch``."""
    return Path(__file__).resolve().parents[2]


def environment(
    root: Path,
    extra: Mapping[str, str] | None = None,
    worker_packages: Iterable[Path] = (),
    base: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the environment of a trainer's process.

    The variables of Blender's own Python do not hold for another Python, so they are left out; the
    root is the whole of ``PYTHONPATH``.
    """
    source = os.environ if base is None else base
    env = {key: value for key, value in source.items() if key not in _NOT_INHERITED}
    env["PYTHONPATH"] = str(root)
    # Nothing is imported from the folder in which it happens to be started.
    env["PYTHONSAFEPATH"] = "1"
    env["PYTHONUNBUFFERED"] = "1"
    env["PYTHONUTF8"] = "1"
    # The root may be read-only, and is removed with the extension.
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    packages = [str(path) for path in worker_packages]
    if packages:
        env[shared_names.WORKER_SITE_PACKAGES] = os.pathsep.join(packages)
    env.update(extra or {})
    return env


def worker_packages() -> tuple[Path, ...]:
    """Return the folders in which this Python finds what a render worker needs."""
    import msgspec
    import zmq

    folders = (Path(module.__file__).resolve().parents[1] for module in (zmq, msgspec))
    return tuple(dict.fromkeys(folders))


def new_run_folder(runs: Path, now: datetime | None = None) -> Path:
    """Make and return ``<runs>/<date>_<time>-<n>``, ``n`` counting the runs of one second.

    Raises
    ------
    OSError
        The folder cannot be made.
    """
    stamp = (now or datetime.now()).strftime("%Y-%m-%d_%H-%M-%S")
    runs.mkdir(parents=True, exist_ok=True)
    for number in range(1, 10_000):
        folder = runs / f"{stamp}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"{runs} is full of folders named {stamp}.")


def exit_text(code: int) -> str:
    """Return how a process ended, in words: ``exit code 1`` or ``killed by SIGKILL``."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def tail(path: Path, limit: int) -> str:
    """Return the last ``limit`` bytes of a text file.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - limit))
        return file.read().decode("utf-8", "replace")


def last_line(path: Path, limit: int = 240) -> str:
    """Return the last line with text in a log file, at most ``limit`` characters; "" if none."""
    try:
        lines = tail(path, 8192).splitlines()
    except OSError:
        return ""
    for line in reversed(lines):
        if line.strip():
            return line.strip()[:limit]
    return ""
