# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch of renders, cut into parts that workers share.

An image depends on its own parameters alone, to the last bit, so that a batch may be cut in any
way: into as few parts as its workers can share, for each part costs a request. Blender's engines
draw one image after the other, so a part of theirs is one image, and as many workers can share a
batch as it has images.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from .choice import MOST

LARGEST_PART = 64
"""Shapes a request at most, of a renderer that takes milliseconds for one ..."""
QUICK = ("fast", "solid")
"""... as these do; the others take one a request."""
_LARGEST_PIXELS = 2**22
"""Pixels a request at most, of the quick ones too: 12 MB."""
AHEAD = 4
"""Times what workers have at a time that a stream may be ahead of the images that are next ..."""
_MOST_AHEAD_BYTES = 2**30
"""... if those ahead of them fit into this."""
WORTH_A_WORKER = 8
"""Shapes that the quick ones draw in about the time that another worker costs."""


def largest_part(renderer: str, size: int) -> int:
    """Return how many shapes of ``size`` pixels a request has at most."""
    if renderer not in QUICK:
        return 1
    return max(1, min(LARGEST_PART, _LARGEST_PIXELS // size**2))


def most_ahead(workers: int, parts: int, largest: int, size: int) -> int:
    """Return the shapes of ``size`` pixels that a stream may be ahead of the images that are next.

    So many parts of the largest size for each worker, four times over, but no more than a gigabyte
    of images, unless workers would go short of a single turn.
    """
    turn = workers * parts * largest
    return max(turn, min(AHEAD * turn, _MOST_AHEAD_BYTES // (3 * size**2)))


def most_workers(renderer: str, count: int) -> int:
    """Return how many workers may share ``count`` shapes and all be of use; 8 for the smallest."""
    return max(MOST, -(-count // (WORTH_A_WORKER if renderer in QUICK else 1)))


def cuts(count: int, workers: int = 1, largest: int = LARGEST_PART) -> list[slice]:
    """Return the rows of each part of ``count`` shapes, none empty, as even as can be.

    There are as few as so many workers share evenly.
    """
    workers = max(1, workers)
    parts = min(count, workers * math.ceil(count / (workers * largest)))
    return [slice(i * count // parts, (i + 1) * count // parts) for i in range(parts)]


@dataclass(eq=False)
class Part:
    """Some rows of a batch.

    Attributes
    ----------
    span
        Where they are in the batch.
    rows
        ``(n, P)`` float64.
    losses
        Workers that were lost over it.
    wanted
        False once its batch has been given up: its answer is dropped.
    """

    span: slice
    rows: np.ndarray
    losses: int = 0
    wanted: bool = True

    def __len__(self) -> int:
        return len(self.rows)

    def in_words(self, count: int) -> str:
        """Say which of ``count`` shapes these are."""
        first, last = self.span.start + 1, self.span.stop
        return (
            f"shape ({last} of {count})"
            if first == last
            else f"shapes ({first} to {last} of {count})"
        )


class Batch:
    """What is to be rendered, and what has been.

    Images can be had as soon as those before them are there too (:meth:`finished`), so that a batch
    may be larger than its images could be kept.

    Parameters
    ----------
    rows
        ``(N, P)``.
    size
        Width and height of an image in pixels.
    workers
        That share it.
    largest
        Shapes a part at most.

    Attributes
    ----------
    count
        ``N``.
    waiting
        Parts that no worker has.
    missing
        Parts without images.
    ahead
        Shapes that may at a time be with workers or wait here for images before theirs; None for
        any number.
    """

    def __init__(
        self,
        rows: np.ndarray,
        size: int,
        workers: int = 1,
        largest: int = LARGEST_PART,
    ):
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        self.count = len(rows)
        self.waiting = deque(Part(span, rows[span]) for span in cuts(self.count, workers, largest))
        self.missing = len(self.waiting)
        self.ahead: int | None = None
        self._image = (size, size, 3)
        self._found: dict[int, np.ndarray] = {}
        self._next = 0
        self._out = 0

    @classmethod
    def of_parts(cls, parts: Iterable[Part], count: int, size: int) -> Batch:
        """Return these parts of a batch of ``count`` shapes, as a batch of which others are not."""
        batch = cls(np.empty((0, 0)), size)
        batch.count = count
        batch.waiting.extend(parts)
        batch.missing = len(batch.waiting)
        return batch

    @property
    def may_hand_out(self) -> bool:
        """Whether there is a part that is next, and it may be handed out now."""
        if not self.waiting or self.ahead is None:
            return bool(self.waiting)
        part = self.waiting[0]
        # The one that all others wait for always may.
        return self._out + len(part) <= self.ahead or part.span.start == self._next

    def hand_out(self) -> Part:
        """Return the part that is next."""
        part = self.waiting.popleft()
        self._out += len(part)
        return part

    def put_back(self, parts: Iterable[Part]) -> None:
        """Have parts rendered next that their worker did not render."""
        parts = [part for part in parts if part.wanted]
        self._out -= sum(map(len, parts))
        # In their order, whoever was lost first, so that the one that is next is never behind.
        self.waiting = deque(sorted((*parts, *self.waiting), key=lambda part: part.span.start))

    def pieces(self, part: Part) -> list[Part]:
        """Cut a part over which workers were lost, so that it gets clear which shape is to blame.

        Into parts of a few shapes after the first loss, and of one after the second.
        """
        found = cuts(len(part), 1, WORTH_A_WORKER if part.losses < 2 else 1)
        self.missing += len(found) - 1
        start = part.span.start
        return [
            Part(
                slice(start + span.start, start + span.stop),
                part.rows[span],
                part.losses,
            )
            for span in found
        ]

    def fits(self, part: Part, images: np.ndarray) -> bool:
        """Whether these can be the images of the part."""
        return images.shape == (len(part), *self._image) and images.dtype == np.uint8

    def put(self, part: Part, *images: np.ndarray) -> None:
        """Take the images of a part, in one array or in several, one after the other."""
        start = part.span.start
        for some in images:
            self._found[start] = some
            start += len(some)
        self.missing -= 1

    def finished(self) -> Iterator[np.ndarray]:
        """Yield the images ``(n, size, size, 3)`` that are next in their order, as far as they are
        there; each once."""
        while (images := self._found.pop(self._next, None)) is not None:
            self._next += len(images)
            self._out -= len(images)
            yield images

    def images_of(self, part: Part) -> list[np.ndarray]:
        """Return, and forget, the images of a part that has been rendered."""
        found, start = [], part.span.start
        while start < part.span.stop:
            found.append(self._found.pop(start))
            start += len(found[-1])
        return found

    def together(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """Return images as one array that is the caller's; ``(0, size, size, 3)`` of none."""
        return np.concatenate([np.empty((0, *self._image), np.uint8), *images])
