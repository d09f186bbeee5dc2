# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch of renders, cut into jobs that workers share.

An image depends on its own row alone, to the last bit, so that a batch may be cut in any way: into
as few jobs as its workers can share, for each job costs a request. Blender's engines draw one image
after the other, so a job of theirs is one image, and as many workers can share a batch as it has
images.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from .choice import MOST

LARGEST_JOB = 64
"""Images a job at most, of a renderer that takes milliseconds for one ..."""
QUICK = ("fast", "solid")
"""... as these do; the others take one a job."""
_LARGEST_PIXELS = 2**22
"""Pixels a job at most, of the quick ones too: 12 MB."""
AHEAD = 4
"""Times what workers have at a time that a stream may be ahead of the images that are next ..."""
_MOST_AHEAD_BYTES = 2**30
"""... if those ahead of them fit into this."""
WORTH_A_WORKER = 8
"""Images that the quick ones draw in about the time that another worker costs."""


def largest_job(renderer: str, size: int) -> int:
    """Return how many images of ``size`` pixels a job has at most."""
    if renderer not in QUICK:
        return 1
    return max(1, min(LARGEST_JOB, _LARGEST_PIXELS // size**2))


def most_ahead(workers: int, jobs: int, largest: int, size: int) -> int:
    """Return the images of ``size`` pixels that a stream may be ahead of those that are next.

    So many jobs of the largest size for each worker, four times over, but no more than a gigabyte
    of images, unless workers would go short of a single turn.
    """
    turn = workers * jobs * largest
    return max(turn, min(AHEAD * turn, _MOST_AHEAD_BYTES // (3 * size**2)))


def most_workers(renderer: str, count: int) -> int:
    """Return how many workers may share ``count`` images and all be of use; 8 for the smallest."""
    return max(MOST, -(-count // (WORTH_A_WORKER if renderer in QUICK else 1)))


def cuts(count: int, workers: int = 1, largest: int = LARGEST_JOB) -> list[slice]:
    """Return the rows of each job of ``count`` images, none empty, as even as can be.

    There are as few as so many workers share evenly.
    """
    workers = max(1, workers)
    jobs = min(count, workers * math.ceil(count / (workers * largest)))
    return [slice(i * count // jobs, (i + 1) * count // jobs) for i in range(jobs)]


@dataclass(eq=False)
class RenderJob:
    """Some rows of a batch, which one worker renders.

    Attributes
    ----------
    span
        Where they are in the batch.
    rows
        ``(n, P)`` float64.
    lost_at
        Places of the workers that were lost over it.
    losses
        How many of those were lost at places that are well, and may be the job's fault.
    """

    span: slice
    rows: np.ndarray
    lost_at: tuple[str, ...] = ()
    losses: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def in_words(self, count: int) -> str:
        """Say which of ``count`` images these are."""
        first, last = self.span.start + 1, self.span.stop
        return (
            f"image ({last} of {count})"
            if first == last
            else f"images ({first} to {last} of {count})"
        )


class Batch:
    """The rows to render, and the images that are there.

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
        Images a job at most.

    Attributes
    ----------
    count
        ``N``.
    waiting
        Jobs that no worker has.
    missing
        Jobs without images.
    ahead
        Images that may at a time be with workers or wait here for those before them; None for any
        number.
    """

    def __init__(
        self,
        rows: np.ndarray,
        size: int,
        workers: int = 1,
        largest: int = LARGEST_JOB,
    ):
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        self.count = len(rows)
        self.waiting = deque(
            RenderJob(span, rows[span]) for span in cuts(self.count, workers, largest)
        )
        self.missing = len(self.waiting)
        self.ahead: int | None = None
        self._image = (size, size, 3)
        self._images: dict[int, np.ndarray] = {}
        self._next = 0
        self._out = 0

    @classmethod
    def of_jobs(cls, jobs: Iterable[RenderJob], count: int, size: int) -> Batch:
        """Return some jobs of a batch of ``count`` images as a batch of their own."""
        batch = cls(np.empty((0, 0)), size)
        batch.count = count
        batch.waiting.extend(jobs)
        batch.missing = len(batch.waiting)
        return batch

    @property
    def may_hand_out(self) -> bool:
        """Whether there is a job that is next, and it may be handed out now."""
        if not self.waiting or self.ahead is None:
            return bool(self.waiting)
        job = self.waiting[0]
        # The one that all others wait for always may.
        return self._out + len(job) <= self.ahead or job.span.start == self._next

    def hand_out(self) -> RenderJob:
        """Return the job that is next."""
        job = self.waiting.popleft()
        self._out += len(job)
        return job

    def put_back(self, jobs: Iterable[RenderJob]) -> None:
        """Have jobs rendered next that their worker did not render."""
        jobs = list(jobs)
        self._out -= sum(map(len, jobs))
        # In their order, whoever was lost first, so that the one that is next is never behind.
        self.waiting = deque(sorted((*jobs, *self.waiting), key=lambda job: job.span.start))

    def pieces(self, job: RenderJob) -> list[RenderJob]:
        """Cut a job over which workers were lost, so that it gets clear which image is to blame.

        Into jobs of a few images after the first loss, and of one after the second.
        """
        spans = cuts(len(job), 1, WORTH_A_WORKER if job.losses < 2 else 1)
        self.missing += len(spans) - 1
        start = job.span.start
        return [
            RenderJob(
                slice(start + span.start, start + span.stop),
                job.rows[span],
                job.lost_at,
                job.losses,
            )
            for span in spans
        ]

    def put(self, jobs: Iterable[RenderJob], images: Iterable[np.ndarray]) -> None:
        """Take the images of jobs, one after the other, however they are divided into arrays."""
        arrays = deque(images)
        for job in jobs:
            start, stop = job.span.start, job.span.stop
            while start < stop:
                array = arrays.popleft()
                self._images[start], rest = array[: stop - start], array[stop - start :]
                start += len(self._images[start])
                if len(rest):
                    arrays.appendleft(rest)
            self.missing -= 1

    def finished(self) -> Iterator[np.ndarray]:
        """Yield the images ``(n, size, size, 3)`` that are next in their order, as far as they are
        there; each once."""
        while (images := self._images.pop(self._next, None)) is not None:
            self._next += len(images)
            self._out -= len(images)
            yield images

    def images_of(self, job: RenderJob) -> list[np.ndarray]:
        """Return, and forget, the images of a job that has been rendered."""
        images, start = [], job.span.start
        while start < job.span.stop:
            images.append(self._images.pop(start))
            start += len(images[-1])
        return images

    def together(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """Return images as one array that is the caller's; ``(0, size, size, 3)`` of none."""
        return np.concatenate([np.empty((0, *self._image), np.uint8), *images])
