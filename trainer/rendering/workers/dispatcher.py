# SPDX-License-Identifier: GPL-3.0-or-later
"""The render pool: hands jobs to workers and takes their images, wherever the workers are.

Every job of a batch is in one place: waiting, or in one call of one worker. A lost worker's calls
come back once, as an event of the transport, which takes no answer to them any more. That is why
each image is in the result exactly once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from gdr_core.errors import GdrError
from gdr_core.settings import RunSettings

from .batch import Batch, RenderJob, largest_job, most_ahead
from .notices import Notify
from .transport import Call, Event, Failed, Lost, Rendered, Transport, Worker

log = logging.getLogger(__name__)

IN_FLIGHT = 2
"""Calls that a worker has at a time: one that it works on, and one that waits there already."""
MAX_LOSSES = 3
"""Workers that may be lost over one job before the run gives up."""
_WAIT_S = 0.02


class Dispatcher:
    """A :class:`trainer.rendering.pool.RenderPool` of the workers of a transport.

    Parameters
    ----------
    settings
        ``rendering.renderer`` and ``training.size`` are used.
    transport
        Belongs to the dispatcher from now on.
    check
        Called while waiting; may raise to leave.
    in_flight
        Calls that a worker has at a time.

    Attributes
    ----------
    seconds_rendering
        What the workers say they spent rendering, all of them together.
    """

    def __init__(
        self,
        settings: RunSettings,
        transport: Transport,
        check: Callable[[], None],
        in_flight: int = IN_FLIGHT,
    ):
        self.transport = transport
        self._in_flight = in_flight
        self._begin_run(settings, check)

    def _begin_run(self, settings: RunSettings, check: Callable[[], None]) -> None:
        self._size = settings.training.size
        self._largest = largest_job(settings.rendering.renderer, self._size)
        self._check = check
        self.seconds_rendering = 0.0

    @property
    def workers(self) -> list[Worker]:
        """The workers that there are."""
        return self.transport.workers

    def close(self) -> None:
        """End all workers."""
        self.transport.close()

    # --- batches ---------------------------------------------------------------------------------

    def render(self, rows: np.ndarray) -> np.ndarray:
        """See :class:`trainer.rendering.pool.RenderPool`."""
        batch = self._batch(rows)
        self.render_batch(batch)
        return batch.together(batch.finished())

    def stream(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """See :class:`trainer.rendering.pool.RenderPool`."""
        batch = self._batch(rows)
        batch.ahead = 0  # Set when jobs are handed out, for the workers that there are then.
        for _ in self._turns(batch):
            yield from batch.finished()

    def render_batch(self, batch: Batch) -> None:
        """Render until nothing of the batch is missing; GdrError if that cannot be."""
        for _ in self._turns(batch):
            pass

    def wait_until_ready(self) -> None:
        """Return when a worker is ready; GdrError if none is within the transport's time for it."""
        nothing, wait_s = self._nothing(), 0.0
        while not any(worker.ready for worker in self.workers):
            self._turn(nothing, wait_s)
            wait_s = _WAIT_S

    def _batch(self, rows: np.ndarray) -> Batch:
        return Batch(rows, self._size, self.transport.sharing(len(rows)), self._largest)

    def _nothing(self) -> Batch:
        return Batch.of_jobs((), 0, self._size)

    def _turns(self, batch: Batch) -> Iterator[None]:
        """Render until nothing of the batch is missing; yield after each look at the workers."""
        self._give_up()
        wait_s = 0.0
        while batch.missing:
            self._turn(batch, wait_s)
            wait_s = _WAIT_S
            yield

    def _turn(self, batch: Batch, wait_s: float) -> None:
        """Take what there is, and hand out what waits."""
        self._check()
        for event in self.transport.events(wait_s):
            self._take(event, batch)
        self.transport.tend()
        self._hand_out(batch)

    def _give_up(self) -> None:
        """Want no answer to the calls that there are: their batch was left."""
        for worker in self.workers:
            for call in worker.calls:
                call.wanted = False

    # --- runs ------------------------------------------------------------------------------------

    def idle(self, seconds: float) -> bool:
        """Finish with a run; return whether the pool is good for another one.

        Answers that are still on their way are taken in and dropped, for at most so many seconds.
        The run's callbacks are not called any more.
        """
        if not self.transport.reusable:
            return False
        self._check = _nobody_waits
        self.transport.notices.begin(log.info)
        self._give_up()
        deadline, wait_s = time.monotonic() + seconds, 0.0
        nothing = self._nothing()
        try:
            while True:
                for event in self.transport.events(wait_s):
                    self._take(event, nothing)
                if self.transport.idle():
                    self.transport.release()
                    return True
                if time.monotonic() > deadline:
                    return False
                wait_s = _WAIT_S
        except GdrError as error:
            log.info("The render workers are not kept: %s", error)
            return False

    def reuse(
        self, settings: RunSettings, check: Callable[[], None], log_dir: Path, notify: Notify
    ) -> None:
        """Begin with another run, whose arguments these are; GdrError if a worker is gone."""
        self._begin_run(settings, check)
        self.transport.notices.begin(notify)
        self.transport.reuse(settings, log_dir)

    # --- jobs ------------------------------------------------------------------------------------

    def _hand_out(self, batch: Batch) -> None:
        """Hand out waiting jobs, in turns, so that no worker has a second call before all have one.

        The last ones go to free workers only: with a busy one they would wait.
        """
        able = [worker for worker in self.workers if worker.ready]
        many = self.transport.jobs_a_call(len(batch.waiting), max(1, len(able)))
        if batch.ahead is not None:
            batch.ahead = most_ahead(len(able), self._in_flight * many, self._largest, self._size)
        for depth in range(self._in_flight):
            for worker in able:
                if not batch.may_hand_out or (depth and len(batch.waiting) < len(able)):
                    return
                if len(worker.calls) == depth and (jobs := _jobs_for(worker, batch, many)):
                    self.transport.send(worker, jobs, batch.count)

    def _take(self, event: Event, batch: Batch) -> None:
        """Take in what has happened."""
        if isinstance(event, Rendered):
            self.seconds_rendering += event.seconds
            if event.call.wanted:
                batch.put(event.call.jobs, event.images)
        elif isinstance(event, Failed):
            if event.call.wanted:
                raise GdrError(event.text)
        elif isinstance(event, Lost):
            self.transport.notices.once(event.kind, f"{event.notice}: {event.reason}")
            _put_back(event.calls[1:], batch)
            for call in event.calls[:1]:
                if call.wanted:
                    batch.put_back(self._suspects(call.jobs, event, batch))
        else:
            _put_back(event.calls, batch)

    def _suspects(self, jobs: list[RenderJob], loss: Lost, batch: Batch) -> list[RenderJob]:
        """Return the pieces of jobs over which a worker was lost.

        A place that was lost with its worker is to blame itself, and the jobs are not.
        """
        places, suspects = self.transport.places(), []
        for job in jobs:
            job.lost_at += (loss.place,)
            job.losses = sum(place in places for place in job.lost_at)
            if job.losses >= MAX_LOSSES:
                log.info("The rows were %s", job.rows.tolist())
                raise GdrError(
                    f"{job.losses} render workers in a row were lost over the same "
                    f"{job.in_words(batch.count)}. Of the last one: {loss.reason}.{loss.advice}"
                )
            suspects += batch.pieces(job) if job.losses else [job]
        return suspects


def _jobs_for(worker: Worker, batch: Batch, many: int) -> list[RenderJob]:
    """Return the jobs of the worker's next call, taken from those that wait.

    One over which a worker was lost is asked for alone, so that it is clear what is to blame.
    """
    if not all(call.wanted for call in worker.calls):
        return []  # It may hang over what was given up, and the jobs would wait behind that.
    if batch.waiting[0].losses:
        return [] if worker.calls else [batch.hand_out()]
    if any(job.losses for call in worker.calls for job in call.jobs):
        return []
    jobs: list[RenderJob] = []
    while len(jobs) < many and batch.may_hand_out and not batch.waiting[0].losses:
        jobs.append(batch.hand_out())
    return jobs


def _put_back(calls: list[Call], batch: Batch) -> None:
    batch.put_back(job for call in calls if call.wanted for job in call.jobs)


def _nobody_waits() -> None:
    """There is no run to check on."""
