# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person asks of a run while it goes on."""

from __future__ import annotations

import math
import time


class Stopped(Exception):
    """The person asked the run to end; raised wherever the run waits."""


class Controls:
    """Pause, resume and stop, asked for from a signal handler or a channel.

    The run calls :meth:`poll` between steps and while it waits for renders; a subclass that gets
    its orders from a channel reads them there.
    """

    def __init__(self) -> None:
        self.paused = False
        self.stopping = False

    def poll(self) -> None:
        """Take in new orders without waiting."""

    def check(self) -> None:
        """Poll, and raise :class:`Stopped` once the person asked to stop."""
        self.poll()
        if self.stopping:
            raise Stopped


class StopCheck:
    """Called wherever a run waits: raises :class:`Stopped` once the person asked to stop.

    Parameters
    ----------
    controls
        Where the person's orders are.
    """

    def __init__(self, controls: Controls):
        self._controls = controls
        self._leave_at = math.inf

    def __call__(self) -> None:
        if math.isinf(self._leave_at):
            self._controls.check()
            return
        self._controls.poll()
        if time.monotonic() > self._leave_at:
            raise Stopped

    def grant(self, seconds: float) -> None:
        """Let a run that was asked to stop go on for so long."""
        self._leave_at = time.monotonic() + seconds
