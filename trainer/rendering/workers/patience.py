# SPDX-License-Identifier: GPL-3.0-or-later
"""How long an answer may take before its worker counts as hung."""

from __future__ import annotations

import time

START_S = 120.0
"""From starting a Blender to its first message."""
FIRST_ANSWER_S = 300.0
"""On top for a worker's first answer: it makes shaders, and a heavy scene is got ready."""
UNKNOWN_IMAGE_S = 120.0
"""For each image while none has been measured ..."""
UNKNOWN_S = 960.0
"""... and at most; a renderer with many in a request takes milliseconds for one."""
TIMES_MEASURED = 20.0
"""Times the measured seconds for each image ..."""
LEAST_S = 60.0
"""... but at least this: a computer can be busy with other things."""
_FADE = 0.95
_LONGEST_LOOK_S = 1.0


class Patience:
    """The limit for an answer, which follows the slowest of the last answers."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, with images of another kind."""
        self._image_s: float | None = None

    def note(self, images: int, seconds: float) -> None:
        """Take in that ``images`` took ``seconds`` on one worker."""
        if images:
            self._image_s = max(seconds / images, _FADE * (self._image_s or 0.0))

    def limit(self, images: int, first: bool) -> float:
        """Return the seconds that ``images`` may take, as the first answer of a worker or not."""
        extra = FIRST_ANSWER_S if first else 0.0
        if self._image_s is None:
            return extra + min(UNKNOWN_IMAGE_S * images, UNKNOWN_S)
        return extra + max(LEAST_S, TIMES_MEASURED * self._image_s * images)


class Stopwatch:
    """Seconds of waiting. Time in which nobody looked does not count: the computer slept, the run
    was held."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin at zero."""
        self._seconds = 0.0
        self._looked = time.monotonic()

    def look(self) -> float:
        """Return the seconds until now; look often."""
        now = time.monotonic()
        self._seconds += min(now - self._looked, _LONGEST_LOOK_S)
        self._looked = now
        return self._seconds
