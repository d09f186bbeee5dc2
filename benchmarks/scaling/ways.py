# SPDX-License-Identifier: GPL-3.0-or-later
"""The pools that are compared, and how their batches are timed: in turns."""

from __future__ import annotations

import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from unittest import mock

import numpy as np

from gdr_core.settings import RenderSettings, RunSettings, SceneSettings
from gdr_core.supershape.parameters import INDEX
from trainer.rendering.workers import batch as batches
from trainer.rendering.workers.choice import physical_cores
from trainer.rendering.workers.dispatcher import Dispatcher
from trainer.rendering.workers.on_ray.calls import CallSize

TURN_S = 0.3
STREAMED = 64
"""Batches in a stream: 4,096 images of a batch of 64."""
TIMED = 1000.0
"""As in ``worker.py``."""


class CountedCalls(CallSize):
    """Counts the calls, and can have each bring a single job.

    Attributes
    ----------
    calls
        So far.
    single
        Whether each brings one job.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.single = 0, False

    def note(self, jobs: int, seconds: float, trip: float | None) -> None:
        """See the base class."""
        self.calls += 1
        super().note(jobs, seconds, trip)

    def jobs(self, waiting: int, workers: int) -> int:
        """See the base class."""
        return 1 if self.single else super().jobs(waiting, workers)


@dataclass(frozen=True)
class Way:
    """One pool.

    Attributes
    ----------
    kind
        ``local``, ``ray``, or ``ray, one job a call``.
    """

    kind: str
    workers: int
    pool: Dispatcher = field(compare=False)


@dataclass(frozen=True)
class Case:
    """What is rendered.

    Attributes
    ----------
    image_s
        Seconds that an image takes; None for the fast renderer's own.
    batch
        Images.
    repetitions
        Turns of each way.
    stream
        Whether batches are asked for in a stream, and not each once the last one is here.
    """

    image_s: float | None
    batch: int
    repetitions: int
    stream: bool = False

    @property
    def largest_job(self) -> int:
        """Images a job at most.

        Where an image takes a known time, as few as where there are many workers, so that a few of
        these are enough to tell what a job costs.
        """
        return batches.LARGEST_JOB if self.image_s is None else batches.WORTH_A_WORKER

    def jobs(self, workers: int) -> float:
        """Return the jobs into which so many workers have a batch cut."""
        together = STREAMED if self.stream else 1
        return len(batches.cuts(self.batch * together, workers, self.largest_job)) / together

    def rows(self) -> np.ndarray:
        """Return ``(batch, P)`` rows of the supershape."""
        rows = np.tile(SceneSettings().resolve().row(), (self.batch, 1))
        for seed, name in enumerate(("m1", "m2")):
            draw = np.random.default_rng(seed)
            rows[:, INDEX[name]] = np.exp(draw.normal(2.25, 0.4, self.batch))
        if self.image_s is not None:
            rows[:, INDEX["n1_1"]] = TIMED + 1000 * self.image_s
        return rows


@dataclass(frozen=True)
class Row:
    """What was measured of one way in one case: medians over turns.

    Attributes
    ----------
    image_s, batch, stream, jobs
        Of the case.
    seconds
        That a batch took.
    calls
        That brought its jobs.
    cpu_s
        Processor time of this process, all of its threads.
    ratio
        Median over turns of the local pool's seconds to these, the two taken one after the other.
    """

    kind: str
    workers: int
    image_s: float | None
    batch: int
    stream: bool
    jobs: float
    seconds: float
    calls: float
    cpu_s: float
    ratio: float


def settings(pool: str, workers: int) -> RunSettings:
    """Return what a pool is made of."""
    cpus = physical_cores() / workers
    return RunSettings(rendering=RenderSettings(pool=pool, workers=workers, worker_cpus=cpus))


def measure(ways: list[Way], case: Case) -> list[Row]:
    """Render the case's batches in turns, in another order each time."""
    batch, taken = case.rows(), defaultdict(list)
    with mock.patch.object(batches, "LARGEST_JOB", case.largest_job):
        for turn in range(case.repetitions):
            first = turn % len(ways)
            for way in ways[first:] + ways[:first]:
                render = _stream if case.stream else _batches
                taken[way].append(_one(way, batch, case.jobs(way.workers), render))
    base = {way.workers: taken[way] for way in ways if way.kind == "local"}
    rows = []
    for way in ways:
        seconds, calls, cpu = map(statistics.median, zip(*taken[way], strict=True))
        ratio = statistics.median(
            here[0] / there[0] for here, there in zip(base[way.workers], taken[way], strict=True)
        )
        rows.append(
            Row(
                way.kind,
                way.workers,
                case.image_s,
                case.batch,
                case.stream,
                case.jobs(way.workers),
                seconds,
                calls,
                cpu,
                ratio,
            )
        )
    return rows


def _one(
    way: Way, rows: np.ndarray, jobs: float, render: Callable[[Way, np.ndarray], int]
) -> tuple[float, float, float]:
    """Render batches of ``jobs``.

    Returns
    -------
    seconds, calls, processor
        Of one of them; the processor time is this process's.
    """
    size = getattr(way.pool.transport, "call_size", None)
    if size is not None:
        size.single = way.kind != "ray"
    calls, cpu, started = size.calls if size else 0, time.process_time(), time.perf_counter()
    batches = render(way, rows)
    took, cpu = time.perf_counter() - started, time.process_time() - cpu
    calls = (size.calls - calls) / batches if size else jobs
    return took / batches, calls, cpu / batches


def _batches(way: Way, rows: np.ndarray) -> int:
    """Render batches one after the other, as an estimator does, for :data:`TURN_S` at least; return
    how many."""
    batches, started = 0, time.perf_counter()
    while time.perf_counter() < started + TURN_S:
        way.pool.render(rows)
        batches += 1
    return batches


def _stream(way: Way, rows: np.ndarray) -> int:
    """Render :data:`STREAMED` batches in a stream, as ``gdr render`` does; return how many."""
    for _ in way.pool.stream(np.tile(rows, (STREAMED, 1))):
        pass
    return STREAMED


def pending_s(ray, many: int) -> float:
    """Return the seconds for a look at so many answers that are not there yet."""

    def never() -> None:
        """Not run: no node has room for it."""

    nobody = ray.remote(never).options(num_cpus=10**6)
    refs = [nobody.remote() for _ in range(many)]
    taken = []
    for _ in range(20):
        started = time.perf_counter()
        ray.wait(refs, num_returns=len(refs), timeout=0)
        taken.append(time.perf_counter() - started)
    for ref in refs:
        ray.cancel(ref)
    return statistics.median(taken)


def load() -> str:
    """Return how busy this computer is, in words."""
    return f"load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"
