# SPDX-License-Identifier: GPL-3.0-or-later
"""How much travels at a time between here and a node, so that the network is not waited for."""

from __future__ import annotations

import math
import statistics
from collections import deque

from ..batch import cuts

HIDE = 50.0
"""Times its own round trip that a call should render."""
MOST_JOBS = 64
_REMEMBERED = 16
_MESSAGE_BYTES = 96 * 1024
"""What is smaller than 100 KiB travels in Ray's own messages, past the nodes' object stores."""


def fits_message(size: int) -> bool:
    """Whether an image of ``size`` pixels fits one of Ray's own messages."""
    return 3 * size**2 <= _MESSAGE_BYTES


def travelling(count: int, size: int) -> list[slice]:
    """Return the rows of ``count`` images of ``size`` pixels that travel together.

    As many as fit a message; where none does, all of them.
    """
    if not fits_message(size):
        return [slice(0, count)]
    return cuts(count, 1, _MESSAGE_BYTES // (3 * size**2))


class CallSize:
    """Follows the measured round trip and render time.

    One job a call shares a batch most evenly. Where a job takes not much longer than the call
    that brings it, more of them travel together, until the round trip is a fiftieth of what they
    take or workers would go short.
    """

    def __init__(self) -> None:
        self._trips: deque[float] = deque(maxlen=_REMEMBERED)
        self._jobs: deque[float] = deque(maxlen=_REMEMBERED)

    def note(self, jobs: int, seconds: float, trip: float | None) -> None:
        """Take in that ``jobs`` took ``seconds`` there.

        Parameters
        ----------
        trip
            Seconds that the call took on top; None where it had to wait for another one.
        """
        self._jobs.append(seconds / jobs)
        if trip is not None:
            self._trips.append(max(0.0, trip))

    def jobs(self, waiting: int, workers: int) -> int:
        """Return how many of the ``waiting`` jobs the next call to one of ``workers`` brings."""
        if not self._trips:
            return 1
        hidden = math.ceil(HIDE * self.trip_s / max(self.job_s, 1e-6))
        share = max(1, math.ceil(waiting / workers))
        # Calls as large as each other, so that workers end together.
        calls = math.ceil(share / max(1, min(hidden, MOST_JOBS)))
        return math.ceil(share / calls)

    @property
    def trip_s(self) -> float:
        """Seconds that a call takes on top of its work; NaN while unknown."""
        return statistics.median(self._trips) if self._trips else math.nan

    @property
    def job_s(self) -> float:
        """Seconds that a job takes on a node; NaN while unknown."""
        return statistics.median(self._jobs) if self._jobs else math.nan
