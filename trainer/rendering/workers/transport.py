# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam between the dispatcher of render jobs and the places where workers are.

A transport starts workers, brings them calls, says what became of these, and keeps as many workers
as there should be. It knows nothing of batches: which jobs a worker gets, and what becomes of those
that are lost, is the :mod:`.dispatcher`'s to decide.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gdr_core.settings import RunSettings

from .batch import RenderJob
from .notices import Notices


@dataclass(eq=False)
class Call:
    """Jobs that a worker is asked for together; transports add what they need to know.

    Attributes
    ----------
    wanted
        False once its batch has been given up: the answer is dropped.
    """

    jobs: list[RenderJob]
    wanted: bool = True


class Phase(enum.Enum):
    """The life of a worker, as far as jobs are concerned."""

    STARTING = enum.auto()
    """It has been asked to start and has not said that it did."""
    READY = enum.auto()
    """It takes calls."""
    RETIRED = enum.auto()
    """It answers the calls that it has, and gets no more."""
    AWAY = enum.auto()
    """It was lost, and is asked in a moment whether it has been started again."""


class Worker:
    """One worker.

    Attributes
    ----------
    phase
        See :class:`Phase`.
    calls
        Those that it has not answered, the oldest first, which it works on.
    """

    def __init__(self) -> None:
        self.phase = Phase.STARTING
        self.calls: deque[Call] = deque()

    @property
    def ready(self) -> bool:
        """Whether it takes calls."""
        return self.phase is Phase.READY


@dataclass(frozen=True)
class Rendered:
    """A call was answered with the images of its jobs, in arrays that may be divided anyhow."""

    call: Call
    images: Sequence[np.ndarray]
    seconds: float
    """That the worker spent rendering."""


@dataclass(frozen=True)
class Failed:
    """A call was answered with a sentence: its jobs cannot be rendered by any worker."""

    call: Call
    text: str


@dataclass(frozen=True)
class Lost:
    """A worker was lost with its calls, of which it was working on the first."""

    calls: Sequence[Call]
    kind: str
    """Of losses of which a person is notified once."""
    notice: str
    """What happened, a sentence without its full stop."""
    reason: str
    """What became of the worker, a clause."""
    place: str = ""
    """Where it was."""
    advice: str = ""
    """A sentence for a person whose run ends because of it."""


@dataclass(frozen=True)
class Returned:
    """Calls that were not answered, for which neither worker nor jobs are to blame."""

    calls: Sequence[Call]


Event = Rendered | Failed | Lost | Returned


class Transport:
    """A way to have jobs rendered; a subclass for each.

    Parameters
    ----------
    notices
        What a person should know.

    Attributes
    ----------
    workers
        Those that there are, whatever their phase.
    reusable
        Whether they can work for one run after the other: :meth:`idle`, :meth:`release` and
        :meth:`reuse` are there.
    """

    reusable = False

    def __init__(self, notices: Notices):
        self.notices = notices
        self.workers: list[Any] = []

    def events(self, wait_s: float) -> Iterator[Event]:
        """Yield what has happened; if nothing has, wait for something, at most so long.

        Raises
        ------
        GdrError
            There is no worker, and there will be none.
        """
        raise NotImplementedError

    def tend(self) -> None:
        """Have as many workers as there should be; GdrError where that cannot be."""
        raise NotImplementedError

    def send(self, worker: Worker, jobs: list[RenderJob], count: int) -> None:
        """Ask a worker for jobs of a batch of ``count`` images; a loss is an event later."""
        raise NotImplementedError

    def sharing(self, count: int) -> int:
        """Return how many workers are to share a batch of ``count`` images."""
        raise NotImplementedError

    def jobs_a_call(self, waiting: int, workers: int) -> int:
        """Return how many of the ``waiting`` jobs the next call to one of ``workers`` brings."""
        return 1

    def places(self) -> Collection[str]:
        """Return the places of workers that are well."""
        return ("",)

    def idle(self) -> bool:
        """Return whether all workers that there should be are there and have nothing to do."""
        raise NotImplementedError

    def release(self) -> None:
        """End the part of idle workers in a run; GdrError if one is gone."""
        raise NotImplementedError

    def reuse(self, settings: RunSettings, log_dir: Path) -> None:
        """Begin with another run; GdrError if a worker is gone."""
        raise NotImplementedError

    def close(self) -> None:
        """End all workers."""
        raise NotImplementedError
