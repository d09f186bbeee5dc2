# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the trainer's Python what it has, without holding Blender up."""

# No "from __future__ import annotations" here: Blender reads the annotations as values.
import contextlib
import json
import logging
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from subprocess import Popen
from typing import IO, Any

import bpy
from bpy.props import EnumProperty, StringProperty

from ...blendtorch import lifeline
from ...gdr_core.packages import TRAINER_PACKAGES
from .. import redraw, registration
from . import trainer_process

log = logging.getLogger(__name__)

_TIMEOUT_S = 120.0
_INTERVAL_S = 0.1
_SHOWN = ("Python", "torch", "Blender", "OpenGL")
"""The findings of ``doctor`` that are shown even if they are good."""


class GDR_PG_trainer_check(bpy.types.PropertyGroup):
    """The result of the newest check."""

    status: EnumProperty(
        name="Status",
        items=(
            ("NONE", "None", "Not checked yet"),
            ("RUNNING", "Running", "The check is at work"),
            ("GOOD", "Good", "The trainer can work"),
            ("BAD", "Bad", "Something is missing"),
        ),
    )
    text: StringProperty(name="Text")


@dataclass
class _Check:
    process: Popen
    output: IO[bytes]
    began: float = field(default_factory=time.monotonic)

    def close(self) -> None:
        self.output.close()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()


_check: _Check | None = None


def begin(python: str, blender: str) -> None:
    """Start a check; its result arrives in ``window_manager.gdr_trainer_check``.

    Parameters
    ----------
    python
        The Python to ask.
    blender
        What the render workers will be: an executable, or ``bpy``.

    Raises
    ------
    OSError
        It cannot be started.
    """
    global _check
    cancel()
    output = tempfile.TemporaryFile()  # noqa: SIM115 (open for as long as the process)
    try:
        process = lifeline.spawn(
            [python, "-m", "trainer", "doctor", "--json", "--blender", blender],
            env=trainer_process.environment(
                trainer_process.root_folder(), worker_packages=trainer_process.worker_packages()
            ),
            # Not a folder in which others may write: before 3.11 Python imports from it first.
            cwd=trainer_process.root_folder(),
            stdout=output,
            stderr=output,
        )
    except BaseException:
        output.close()
        raise
    _check = _Check(process, output)
    _show("RUNNING", "Asking the trainer's Python, this takes some seconds")
    bpy.app.timers.register(_poll, first_interval=_INTERVAL_S, persistent=True)


def cancel() -> None:
    """End the check that is at work, if there is one."""
    global _check
    registration.remove_timer(_poll)
    if _check is not None:
        lifeline.stop([_check.process], grace=0.2, term=0.5)
        _check.close()
        _check = None


def running() -> bool:
    """Whether a check is at work."""
    return _check is not None


def describe(output: str, code: int) -> tuple[str, str]:
    """Return status and text for what ``doctor --json`` printed.

    Parameters
    ----------
    output
        All that the process printed.
    code
        Its exit code.
    """
    report = _report(output)
    if report is None:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        last = lines[-1] if lines else trainer_process.exit_text(code)
        if "No module named" in last:
            missing = last.rpartition("named")[2].strip(" '\".")
            return "BAD", (
                f"This Python lacks {missing}. Install the trainer's packages into it: "
                f"python -m pip install {' '.join(TRAINER_PACKAGES)}"
            )
        return "BAD", f"This Python cannot run the trainer: {last[:300]}"
    findings = report["findings"]
    good = [
        f"{finding['name']}: {finding['found']}"
        for finding in findings
        if finding["ok"] and finding["name"] in _SHOWN
    ]
    bad = [
        f"{finding['name']}: {finding['found']}. {finding['remedy']}"
        for finding in findings
        if not finding["ok"]
    ]
    return ("GOOD" if report.get("ok") else "BAD"), "\n".join([*bad, *good])


def _report(output: str) -> dict[str, Any] | None:
    """Return the JSON object of ``doctor`` among all that was printed, or None."""
    start = output.find("{")
    while start >= 0:
        try:
            value, _ = json.JSONDecoder().raw_decode(output[start:])
        except ValueError:
            value = None
        if isinstance(value, dict) and "findings" in value:
            return value
        start = output.find("{", start + 1)
    return None


def _poll() -> float | None:
    global _check
    check = _check
    if check is None:
        return None
    code = check.process.poll()
    if code is None:
        if time.monotonic() - check.began < _TIMEOUT_S:
            return _INTERVAL_S
        lifeline.stop(check.process, grace=0.0, term=0.0)  # with the Blender that it has started
        _show("BAD", f"This Python did not answer within {_TIMEOUT_S:.0f} seconds.")
    else:
        check.output.seek(0)
        _show(*describe(check.output.read().decode("utf-8", "replace"), code))
    check.close()
    _check = None
    return None


def _show(status: str, text: str) -> None:
    check = bpy.context.window_manager.gdr_trainer_check
    check.status, check.text = status, text
    redraw.preferences()
    redraw.sidebars()


def register(stack: ExitStack) -> None:
    """Add ``window_manager.gdr_trainer_check``; no check outlives unregistering."""
    registration.classes(stack, (GDR_PG_trainer_check,))
    registration.state(stack, "gdr_trainer_check", GDR_PG_trainer_check)
    stack.callback(cancel)
