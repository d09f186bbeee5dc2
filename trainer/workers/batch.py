# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch of renders, cut into parts that workers share.

How it is cut depends on the number of shapes and the renderer alone. A draw's rounding depends on
the place in its atlas, so the images are the same to the last bit for any number of workers, and
with them the run. Blender's engines draw one image after the other, so a part of theirs is one
image, and as many workers can share a batch as it has images.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gdr_core.errors import GdrError

SHARES = 8
"""Parts are a multiple of this, which 1, 2, 4 and 8 workers share evenly."""
LARGEST_PART = 8
"""Shapes a request at most, of a renderer that takes milliseconds for one ..."""
QUICK = ("fast", "solid")
"""... as these do; the others take one a request."""


def largest_part(renderer: str) -> int:
    """Return how many shapes a request has at most."""
    return LARGEST_PART if renderer in QUICK else 1


def cuts(count: int, largest: int = LARGEST_PART) -> list[slice]:
    """Return the rows of each part of ``count`` shapes: as even as can be, none empty."""
    parts = min(count, SHARES * math.ceil(count / (SHARES * largest)))
    return [slice(i * count // parts, (i + 1) * count // parts) for i in range(parts)]


@dataclass(eq=False)
class Part:
    """Some rows of a batch.

    Attributes
    ----------
    parameters, lights
        Of these rows; no lights for the scene's own.
    losses
        Workers that were lost over it.
    wanted
        False once its batch has been given up: its answer is dropped.
    """

    rows: slice
    parameters: np.ndarray
    lights: np.ndarray
    losses: int = 0
    wanted: bool = True

    def __len__(self) -> int:
        return len(self.parameters)


class Batch:
    """What is to be rendered, and what has been.

    Parameters
    ----------
    parameters
        ``(N, 12)``.
    lights
        ``(N,)`` or None for the scene's own.
    size
        Width and height of an image in pixels.
    largest
        Shapes a part at most.

    Attributes
    ----------
    images
        ``(N, size, size, 3)`` uint8, complete when nothing is :attr:`missing`.
    waiting
        Parts that no worker has.
    missing
        Parts without images.
    """

    def __init__(
        self,
        parameters: np.ndarray,
        lights: np.ndarray | None,
        size: int,
        largest: int = LARGEST_PART,
    ):
        parameters = np.ascontiguousarray(parameters, dtype=np.float32)
        count = len(parameters)
        if lights is not None and lights.shape != (count,):
            # In parts too many or too few would not be seen.
            raise GdrError(f"{count} shapes cannot be rendered in lights of shape {lights.shape}.")
        lights = np.empty(0, dtype=np.uint32) if lights is None else lights
        self.images = np.empty((count, size, size, 3), dtype=np.uint8)
        self.waiting = deque(
            Part(rows, parameters[rows], lights[rows] if len(lights) else lights)
            for rows in cuts(count, largest)
        )
        self.missing = len(self.waiting)

    @classmethod
    def of_parts(cls, parts: Iterable[Part], count: int, size: int) -> Batch:
        """Return these parts of a batch of ``count`` shapes, as a batch of which others are not."""
        batch = cls(np.empty((0, 0)), None, size)
        batch.images = np.empty((count, size, size, 3), dtype=np.uint8)
        batch.waiting.extend(parts)
        batch.missing = len(batch.waiting)
        return batch

    def fits(self, part: Part, images: np.ndarray) -> bool:
        """Whether these can be the images of the part."""
        return images.shape == (len(part), *self.images.shape[1:]) and images.dtype == np.uint8

    def put(self, part: Part, images: np.ndarray) -> None:
        """Take the images of a part."""
        self.images[part.rows] = images
        self.missing -= 1

    def put_back(self, parts: Iterable[Part]) -> None:
        """Have parts rendered next that their worker did not render."""
        self.waiting.extendleft(reversed([part for part in parts if part.wanted]))
