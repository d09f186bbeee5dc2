# SPDX-License-Identifier: GPL-3.0-or-later
"""The render pool: parameters in, images out, wherever they are rendered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np


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
        are few, whatever ``N``. It may be left early.

        Yields
        ------
        ndarray
            ``(n, S, S, 3)`` uint8, which is only to be read.

        Raises
        ------
        GdrError
            They cannot be rendered.
        """
