# SPDX-License-Identifier: GPL-3.0-or-later
"""``gdr doctor``: what was found, what is missing, and the command that mends it."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import sys
from dataclasses import asdict, dataclass

from blendtorch import lifeline
from gdr_core.packages import TRAINER_PACKAGES

HELP = "say what was found (Python, torch and its device, Blender, OpenGL) and what is missing"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes
    ----------
    name, found
        What, and its version or state.
    ok
        Whether it will do.
    remedy
        The command or action that mends it; empty when ok.
    """

    name: str
    found: str
    ok: bool
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--no-blender", action="store_true", help="do not start Blender to try its OpenGL"
    )
    parser.add_argument("--blender", default="", metavar="PATH", help="the Blender to look at")


def run(args: argparse.Namespace) -> int:
    """Print the findings; 0 when a run can start, else 1."""
    if lifeline.launched():
        lifeline.watch()
    packages = [name for name in TRAINER_PACKAGES if name != "torch"]
    findings = [_python(), _torch(), *map(_package, packages)]
    if not args.no_blender:
        findings += _blender(args.blender)
    ok = all(finding.ok for finding in findings)
    if args.json:
        print(json.dumps({"ok": ok, "findings": [asdict(finding) for finding in findings]}))
        return 0 if ok else 1
    for finding in findings:
        print(f"{'ok     ' if finding.ok else 'MISSING'} {finding.name:12} {finding.found}")
        if finding.remedy:
            print(f"        {'':12} {finding.remedy}")
    print("Ready: gdr optimize can run." if ok else "Not ready; see the lines above.")
    return 0 if ok else 1


def _python() -> Finding:
    version = platform.python_version()
    ok = sys.version_info >= (3, 11)
    return Finding(
        "Python", f"{version} at {sys.executable}", ok, "" if ok else "Install Python 3.11 or newer"
    )


def _torch() -> Finding:
    try:
        import torch

        from ..run.device import choose, describe

        return Finding("torch", f"{torch.__version__} on {describe(choose('auto'))}", True)
    except ImportError:
        return Finding("torch", "not installed", False, f"{sys.executable} -m pip install torch")
    except OSError as error:
        return Finding(
            "torch", f"cannot be loaded: {error}", False, f"{sys.executable} -m pip install torch"
        )


def _package(name: str) -> Finding:
    try:
        return Finding(name, importlib.metadata.version(name), True)
    except importlib.metadata.PackageNotFoundError:
        remedy = f"{sys.executable} -m pip install {name}"
        return Finding(name, "not installed", False, remedy)


def _blender(choice: str) -> list[Finding]:
    try:
        from gdr_core.errors import GdrError

        from ..rendering import blender
    except ImportError as error:
        return [Finding("Blender", f"not looked for: {error}", False, "Install what is missing")]
    try:
        found = blender.find(choice)
    except GdrError as error:
        return [Finding("Blender", "not found", False, str(error))]
    probe = blender.probe(found)
    if not probe.ok:
        return [Finding("Blender", found, True), Finding("OpenGL", "not usable", False, probe.text)]
    name = "bpy module" if found == "bpy" else found
    return [
        Finding("Blender", f"{probe.blender} ({name})", True),
        Finding("OpenGL", probe.device, True),
    ]
