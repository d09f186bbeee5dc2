# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Blender renders, and whether it can draw without a window."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from gdr_core import shared_names
from gdr_core.errors import GdrError

from .system_libraries import explain_missing

WORKER_SCRIPT = Path(__file__).parents[2] / "gdr_addon" / "worker_entry.py"
PROBE_TIMEOUT_S = 90.0
_INSTALLED = (
    ("/Applications", "Blender*.app/Contents/MacOS/Blender"),
    (os.environ.get("PROGRAMFILES", ""), "Blender Foundation/Blender */blender.exe"),
)
"""Folders and patterns of Blender's installers for macOS and Windows."""

NO_GL = (
    "Blender cannot draw without a window here: it found no OpenGL through EGL. On Debian or "
    "Ubuntu: sudo apt-get install libegl1 libgl1-mesa-dri. With a GPU: install its driver."
)


_DEATHS_OF_GL = (-6, -11, 134, 139)
"""SIGABRT and SIGSEGV, as a child's exit code and as a shell's."""


@dataclass(frozen=True)
class Probe:
    """What a Blender started in a child said of itself.

    Attributes
    ----------
    ok
        Whether it can render headless.
    blender, device
        Its version and the name of its OpenGL or Vulkan device.
    text
        What is wrong and what to do; empty when ok.
    """

    ok: bool
    blender: str = ""
    device: str = ""
    text: str = ""


def find(choice: str = "", *, module: bool = True) -> str:
    """Return the Blender to use: an executable's path, or ``bpy`` for the module.

    The first of these that there is:

    1. ``choice``;
    2. what the variable ``GDR_BLENDER`` names;
    3. the ``bpy`` module of this Python, unless an executable is wanted;
    4. ``blender`` on the path;
    5. the newest where Blender's installers for macOS and Windows put it.

    Parameters
    ----------
    choice
        An executable, or ``bpy``.
    module
        Whether the module will do, which has no window and no person's settings.

    Raises
    ------
    GdrError
        There is none, or what is named is not there.
    """
    named = choice or os.environ.get(shared_names.BLENDER, "")
    if named and named != "bpy":
        executable = shutil.which(named)
        if not executable:
            raise GdrError(
                f"There is no Blender at {named}; set GDR_BLENDER (or rendering.blender) to the "
                f"Blender executable."
            )
        return executable
    if module and importlib.util.find_spec("bpy") is not None:
        return "bpy"
    if named and module:
        raise GdrError(
            "This Python has no bpy module; install it with: pip install bpy "
            "(Python 3.11 or 3.13), or set GDR_BLENDER to a Blender executable."
        )
    executable = shutil.which("blender") or _newest_installed()
    if executable:
        return executable
    if not module:
        raise GdrError(
            "No Blender was found; set GDR_BLENDER to the executable of Blender 4.3 or newer."
        )
    raise GdrError(
        "No Blender was found; install the module with: pip install bpy (Python 3.11 or "
        "3.13), or set GDR_BLENDER to the executable of Blender 4.3 or newer."
    )


def _newest_installed() -> str | None:
    executables = [
        str(executable)
        for folder, pattern in _INSTALLED
        if folder
        for executable in Path(folder).glob(pattern)
    ]
    return max(executables, key=_version, default=None)


def _version(path: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path)]


def probe(blender: str) -> Probe:
    """Start ``blender`` in a child, which may die of a missing OpenGL, and ask what it is."""
    if blender == "bpy":
        command = [sys.executable, str(WORKER_SCRIPT), "--", "--probe"]
    else:
        command = [blender, "--background", "--factory-startup"]
        command += ["--python-exit-code", "1", "--python", str(WORKER_SCRIPT), "--", "--probe"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Probe(False, text=f"{blender} did not start within {PROBE_TIMEOUT_S:.0f} seconds.")
    except OSError as error:
        return Probe(False, text=f"{blender} cannot be started: {error.strerror}.")
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            said = json.loads(line)
            if said.get("ok"):
                device = f"{said.get('renderer', '')} ({said.get('backend', '')})"
                return Probe(True, said.get("blender", ""), device)
    return Probe(False, text=explain_death(done.returncode, done.stderr))


def explain_death(returncode: int | None, output: str) -> str:
    """Return a sentence for a Blender that ended before it could render."""
    if returncode in _DEATHS_OF_GL:
        return NO_GL
    if missing := explain_missing(output):
        return missing
    lines = [line for line in output.strip().splitlines() if line.strip()]
    said = f" It said: {lines[-1].strip()}" if lines else ""
    return f"Blender ended while it started (exit code {returncode}).{said}"
