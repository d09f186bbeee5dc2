# SPDX-License-Identifier: GPL-3.0-or-later
"""How many of so many are done: a progress bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import Progress

LINE_EVERY_S = 10.0


class CountBar:
    """Counts on standard error; a context manager that owns the terminal meanwhile.

    Parameters
    ----------
    what
        Before the bar.
    count
        Where it ends.
    """

    def __init__(self, what: str, count: int):
        self._console = Console(stderr=True, markup=False)
        self._bar = Progress(console=self._console, disable=not self._console.is_terminal)
        self._what, self._count = what, count
        self._task = self._bar.add_task(what, total=count)
        self._line_at = time.monotonic() + LINE_EVERY_S

    def __enter__(self) -> CountBar:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def update(self, done: int) -> None:
        """Take in how many are done."""
        self._bar.update(self._task, completed=done)
        if not self._console.is_terminal and time.monotonic() >= self._line_at:
            self._line_at = time.monotonic() + LINE_EVERY_S
            self.say(f"{self._what}: {done} of {self._count}")

    def say(self, text: str) -> None:
        """Print a line, given without its full stop, above the bar."""
        self._console.print(f"{text}.", soft_wrap=True, highlight=False)
