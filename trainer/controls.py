# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person asks of a run while it goes on."""

from __future__ import annotations


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
