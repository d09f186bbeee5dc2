# SPDX-License-Identifier: GPL-3.0-or-later
"""The render pool: parameters in, images out, wherever they are rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from gdr_core.settings import RunSettings


class RenderPool(Protocol):
    """Where renders come from."""

    def render(self, rows: np.ndarray) -> np.ndarray:
        """Return the images ``(N, S, S, 3)`` uint8 of rows ``(N, P)`` of the run's scene.

        Raises
        ------
        GdrError
            They cannot be rendered.
        """

    def stream(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the same images some at a time, in their order, while later ones are rendered.

        How many there are at a time is the pool's to say. Its workers are kept busy while the
        caller does something with them, and wait for one that is slow: images ahead of the next
        are few, whatever ``N``. Who leaves early loses nothing but the rest.

        Yields
        ------
        ndarray
            ``(n, S, S, 3)`` uint8, which is only to be read.

        Raises
        ------
        GdrError
            They cannot be rendered.
        """


class ReusablePool(RenderPool, Protocol):
    """A render pool that may work for one run after the other."""

    def idle(self, seconds: float) -> bool:
        """Finish with a run; return whether the pool is good for another one.

        What was asked for and is still on its way is taken in and dropped, for at most so many
        seconds. The run's callbacks are not called any more.
        """

    def reuse(
        self,
        settings: RunSettings,
        check: Callable[[], None],
        log_dir: Path,
        notify: Callable[[str], None],
    ) -> None:
        """Begin with another run; the arguments are those of :func:`.open_pool`.

        Raises
        ------
        GdrError
            It is good for none.
        """

    def close(self) -> None:
        """End all workers."""
