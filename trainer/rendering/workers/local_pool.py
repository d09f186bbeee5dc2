# SPDX-License-Identifier: GPL-3.0-or-later
"""A render pool of workers on this computer, which are replaced when something is wrong with them.

Every part of a batch is in one place: waiting, or with one worker. A worker that is lost gives back
what it had, and its channel is closed, so that an answer of its can never come late. That is why
each shape is in the result exactly once.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from blendtorch import btt
from gdr_core import shared_names
from gdr_core.errors import GdrError
from gdr_core.messages import RenderFailure, RenderReply, RenderRequest, WorkerReady
from gdr_core.settings import RunSettings

from .. import blender
from .batch import Batch, Part, largest_part, most_ahead
from .choice import choose_workers, drawing_threads, physical_cores
from .patience import START_S, Patience
from .worker import Worker, WorkerLost, wait_any

log = logging.getLogger(__name__)

IN_FLIGHT = 2
"""Parts that a worker has at a time: one that it renders, and one that waits there already."""
MAX_LOSSES = 3
"""Workers that may be lost over one part before the run gives up."""
MAX_FAILED_STARTS = 2
"""Workers in a row that may fail to start before the run goes on with fewer, or gives up."""
MEMORY_EVERY_S = 1.0
_WAIT_S = 0.02

_TOLD = {
    "died": "A render worker was lost and replaced, and its shapes are rendered again",
    "hung": "A render worker hung and was replaced, and its shapes are rendered again",
    "memory": "A render worker used too much memory and was replaced, and its shapes are "
    "rendered again",
    "answer": "A render worker gave a wrong answer and was replaced, and its shapes are "
    "rendered again",
}


class NoWorkerStarts(GdrError):
    """This computer has no worker and cannot start one; whatever is to be rendered."""


class LocalPool:
    """Render workers on this computer.

    Parameters
    ----------
    settings
        ``scene``, ``rendering`` and ``training.size`` are used.
    check
        Called while waiting; may raise to leave.
    log_dir
        Where the workers' output goes.
    tell
        Called with what a person should know, a sentence without its full stop; once for each kind
        of loss, all of which are in the log.
    in_flight
        Parts that a worker has at a time.
    cores
        Those that all workers together may draw on; None for this computer's.

    Attributes
    ----------
    seconds_rendering
        What the workers say they spent rendering, all of them together.
    greeting
        What the worker that got ready last said of itself; None before.
    """

    def __init__(
        self,
        settings: RunSettings,
        check: Callable[[], None],
        log_dir: Path,
        tell: Callable[[str], None] = log.warning,
        in_flight: int = IN_FLIGHT,
        cores: float | None = None,
    ):
        self._in_flight = in_flight
        self._blender = blender.find(settings.rendering.blender)
        self._ids = itertools.count(1)
        self._patience = Patience()
        self.greeting: WorkerReady | None = None
        self._workers: list[Worker] = []
        self._ending: list[Worker] = []
        self._count = settings.rendering.workers or choose_workers(settings.rendering.worker_memory)
        self._threads = drawing_threads((cores or physical_cores()) / self._count)
        self._belong(settings, check, log_dir, tell)
        try:
            self._workers += [self._start() for _ in range(self._count)]
        except BaseException:
            self.close()
            raise
        plural = "s" * (self._count > 1)
        log.info("Starting %d render worker%s (%s)", self._count, plural, self._blender)

    def _belong(
        self,
        settings: RunSettings,
        check: Callable[[], None],
        log_dir: Path,
        tell: Callable[[str], None],
    ) -> None:
        """Take over what belongs to one run."""
        self._scene = settings.scene.resolve()
        self._rendering = settings.rendering
        self._size = settings.training.size
        self._check = check
        self._log_dir = log_dir
        self._tell = tell
        self._instances = itertools.count(len(self._workers))
        self._patience.forget()
        self._told: set[str] = set()
        self._failed_starts = 0
        self._memory_seen = time.monotonic()
        self.seconds_rendering = 0.0

    def serve(
        self,
        settings: RunSettings,
        check: Callable[[], None],
        log_dir: Path,
        tell: Callable[[str], None],
    ) -> None:
        """See :class:`trainer.rendering.kept_pool.Lasting`."""
        self._belong(settings, check, log_dir, tell)
        try:
            for index, worker in enumerate(self._workers):
                worker.begin(self._output(index))
        except WorkerLost as loss:
            raise GdrError(f"A render worker is gone: {loss}.") from loss
        log.info("%d render workers of the last run are at hand", len(self._workers))

    def rest(self, seconds: float) -> bool:
        """See :class:`trainer.rendering.kept_pool.Lasting`."""
        self._check, self._tell = _nothing, log.info
        deadline = time.monotonic() + seconds
        nothing = Batch.of_parts((), 0, self._size)
        self._give_up()
        try:
            while not self._all_free():
                if time.monotonic() > deadline:
                    return False
                wait_any(self._everyone(), _WAIT_S)
                for worker in self._everyone():
                    self._take(worker, nothing)
            for worker in self._workers:
                self._take(worker, nothing)  # Has news of one that is gone.
                worker.begin(None)
        except (WorkerLost, GdrError) as loss:
            log.info("The render workers are not kept: %s", loss)
            return False
        return True

    def _all_free(self) -> bool:
        """Whether all workers that there should be are there, and none has anything to do."""
        free = [worker for worker in self._workers if worker.ready and not worker.parts]
        return len(free) == len(self._everyone()) == self._count

    def _give_up(self) -> None:
        """Want no more of what workers were asked for."""
        for worker in self._everyone():
            for part in worker.parts:
                part.wanted = False

    def close(self) -> None:
        """End all workers."""
        for worker in self._everyone():
            self._end(worker)
        for worker in self._ending:
            worker.join()

    def render(self, rows: np.ndarray) -> np.ndarray:
        """See :class:`trainer.rendering.pool.RenderPool`."""
        batch = self._batch(rows)
        self.render_batch(batch)
        return batch.together(batch.finished())

    def stream(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """See :class:`trainer.rendering.pool.RenderPool`."""
        batch = self._batch(rows)
        batch.ahead = most_ahead(self._count, self._in_flight, self._largest(), self._size)
        for _ in self._turns(batch):
            yield from batch.finished()

    def _batch(self, rows: np.ndarray) -> Batch:
        return Batch(rows, self._size, self._count, self._largest())

    def _largest(self) -> int:
        return largest_part(self._rendering.renderer, self._size)

    def render_batch(self, batch: Batch) -> None:
        """Render until nothing of the batch is missing.

        Raises
        ------
        GdrError
            As :meth:`render` does; :class:`NoWorkerStarts` where the shapes are not to blame.
        """
        for _ in self._turns(batch):
            pass

    def _turns(self, batch: Batch) -> Iterator[None]:
        """Render until nothing of the batch is missing; yield after each look at the workers."""
        self._give_up()
        while batch.missing:
            self._turn(batch)
            yield
            if batch.missing:
                wait_any(self._everyone(), _WAIT_S)

    def wait_until_ready(self) -> None:
        """Return when a worker is ready.

        Raises
        ------
        GdrError
            None can be.
        """
        nothing = Batch.of_parts((), 0, self._size)
        while not any(worker.ready for worker in self._workers):
            self._turn(nothing)
            wait_any(self._everyone(), _WAIT_S)

    def _turn(self, batch: Batch) -> None:
        """Take what there is, and hand out what waits."""
        self._check()
        for worker in self._everyone():
            try:
                self._take(worker, batch)
            except WorkerLost as loss:
                self._lose(worker, batch, loss)
        self._watch_memory(batch)
        self._renew()
        self._give(batch)

    # --- work ------------------------------------------------------------------------------------

    def _take(self, worker: Worker, batch: Batch) -> None:
        """Take what the worker has to say."""
        while (message := worker.receive()) is not None:
            if isinstance(message, WorkerReady):
                self._welcome(worker, message)
            elif isinstance(message, (RenderReply, RenderFailure)):
                self._take_answer(worker, message, batch)
            else:
                raise WorkerLost("answer", f"it sent {type(message).__name__}")

    def _welcome(self, worker: Worker, message: WorkerReady) -> None:
        worker.ready = True
        self.greeting = message
        self._failed_starts = 0
        log.info("Render worker ready: Blender %s, %s", message.blender, message.device)
        limit = self._rendering.worker_memory
        if limit and (used := worker.memory_mb()) > limit:
            raise GdrError(
                f"A render worker that has rendered nothing yet uses {used:.0f} MB of memory; "
                f"allow more than {limit} MB (--worker-memory)."
            )

    def _take_answer(
        self, worker: Worker, message: RenderReply | RenderFailure, batch: Batch
    ) -> None:
        part = worker.asked(message.id)
        if isinstance(message, RenderFailure):
            worker.finish()
            if part.wanted:
                raise GdrError(message.text)
            return
        if part.wanted:
            if not batch.fits(part, message.images):
                raise WorkerLost("answer", f"it sent images of shape {message.images.shape}")
            batch.put(part, message.images)
        worker.finish()
        self.seconds_rendering += message.seconds

    def _give(self, batch: Batch) -> None:
        """Hand out waiting parts, in turns, so that no worker has a second before all have one.

        The last ones go to who is free: with a worker that is busy they would only wait.
        """
        for depth in range(self._in_flight):
            able = [worker for worker in self._workers if worker.ready and not worker.retired]
            for worker in able:
                if not batch.may_hand_out or (depth and len(batch.waiting) < len(able)):
                    return
                if len(worker.parts) == depth and self._may_have(worker, batch.waiting[0]):
                    try:
                        self._send(worker, batch.hand_out())
                    except WorkerLost as loss:
                        self._lose(worker, batch, loss)

    @staticmethod
    def _may_have(worker: Worker, part: Part) -> bool:
        """Whether the worker may have this part now.

        One over which a worker was lost is rendered alone, so that it is clear what is to blame.
        """
        suspect = part.losses or any(other.losses for other in worker.parts)
        return not (suspect and worker.parts)

    def _send(self, worker: Worker, part: Part) -> None:
        request = RenderRequest(
            id=next(self._ids),
            scene=self._scene,
            rows=part.rows,
            size=self._size,
            renderer=self._rendering.renderer,
            samples=self._rendering.samples,
            denoise=self._rendering.denoise,
            device=self._rendering.device,
        )
        worker.send(part, request)

    # --- workers that come and go ----------------------------------------------------------------

    def _watch_memory(self, batch: Batch) -> None:
        """Replace workers that use more memory than they may."""
        limit = self._rendering.worker_memory
        if not limit or time.monotonic() < self._memory_seen + MEMORY_EVERY_S:
            return
        self._memory_seen = time.monotonic()
        for worker in list(self._workers):
            if worker.parts:
                try:
                    worker.check_memory(limit)
                except WorkerLost as loss:
                    self._lose(worker, batch, loss)

    def _renew(self) -> None:
        """Start a successor for a worker that has rendered enough, and retire those that have one.

        One at a time, so that there is one Blender more than there should be, and no more.
        """
        for worker in list(self._workers):
            if worker.successor is not None and worker.successor.ready:
                self._workers.append(worker.successor)
                worker.successor, worker.retired = None, True
                log.info("A render worker that made %d images is renewed", worker.rendered)
            if worker.retired and not any(part.wanted for part in worker.parts):
                self._workers.remove(worker)
                self._end(worker)
        limit = self._rendering.recycle_after
        if not limit or any(worker.successor or worker.retired for worker in self._workers):
            return
        for worker in self._workers:
            if worker.rendered >= limit:
                worker.successor = self._start()
                return

    def _lose(self, worker: Worker, batch: Batch, loss: WorkerLost) -> None:
        """Put another worker in the place of one that is lost, and take back what it had."""
        self._end(worker)
        if worker not in self._workers:
            self._lose_successor(worker, loss)
            return
        place = self._workers.index(worker)
        del self._workers[place]
        if worker.retired:
            pass
        elif worker.successor is not None:
            self._workers.insert(place, worker.successor)
        elif not worker.ready:
            self._lose_starting(place, loss)
        else:
            self._workers.insert(place, self._start())
        if worker.ready:
            self._report(loss)
        self._take_back(worker, batch, loss)

    def _lose_starting(self, place: int, loss: WorkerLost) -> None:
        """Try once more to start a worker, then go on without it if there are others."""
        self._failed_starts += 1
        if self._failed_starts < MAX_FAILED_STARTS:
            log.warning("A render worker did not start, trying again: %s", loss)
            self._workers.insert(place, self._start())
        elif any(other.ready for other in self._workers):
            self._tell(
                f"A render worker does not start, the run goes on with {len(self._workers)}: "
                f"{str(loss).rstrip('.')}"
            )
        else:
            raise NoWorkerStarts(f"No render worker could be started. {loss}") from loss

    def _lose_successor(self, successor: Worker, loss: WorkerLost) -> None:
        """Let the worker go on that was to be renewed; it has another try later."""
        for worker in self._workers:
            if worker.successor is successor:
                worker.successor, worker.rendered = None, 0
        log.warning("A render worker that was to replace another did not start: %s", loss)

    def _take_back(self, worker: Worker, batch: Batch, loss: WorkerLost) -> None:
        parts = [part for part in worker.parts if part.wanted]
        if worker.parts and worker.parts[0].wanted:
            first = parts[0]
            first.losses += 1
            if first.losses >= MAX_LOSSES:
                log.info("The shapes were %s", first.rows.tolist())
                raise GdrError(
                    f"{first.losses} render workers in a row were lost over the same "
                    f"{first.in_words(batch.count)}. Of the last one: {loss}."
                ) from loss
            parts[:1] = batch.pieces(first)
        batch.put_back(parts)

    def _report(self, loss: WorkerLost) -> None:
        log.info("A render worker is replaced: %s", loss)
        if loss.kind not in self._told:
            self._told.add(loss.kind)
            self._tell(f"{_TOLD[loss.kind]}: {loss}")

    def _start(self) -> Worker:
        log_dir = self._output(next(self._instances)).parent
        site_packages = os.environ.get(shared_names.WORKER_SITE_PACKAGES, "")
        try:
            launcher = btt.BlenderLauncher(
                scene="",
                script=str(blender.WORKER_SCRIPT),
                named_sockets=[shared_names.WORKER_SOCKET],
                background=True,
                blend_path=self._blender,
                factory_startup=True,
                startup_timeout=START_S,
                python_path=[p for p in site_packages.split(os.pathsep) if p],
                log_dir=log_dir,
                env=self._threads,
            )
        except ValueError as error:  # It does not say what version it is.
            raise GdrError(
                f"{self._blender} is no Blender that starts; set GDR_BLENDER (or "
                f"rendering.blender) to the executable of Blender 4.3 or newer."
            ) from error
        return Worker(launcher, self._patience)

    def _output(self, instance: int) -> Path:
        """Return the file that takes what a worker prints; the launcher gives it its name."""
        return self._log_dir / f"worker-{instance}" / "blender-0.log"

    def _end(self, worker: Worker) -> None:
        """Let the worker end, which can take seconds, while the others go on."""
        worker.close()
        self._ending = [other for other in self._ending if not other.ended]
        self._ending.append(worker)

    def _everyone(self) -> list[Worker]:
        """Return all workers and those that start to succeed one."""
        starting = [worker.successor for worker in self._workers if worker.successor is not None]
        return self._workers + starting


def _nothing() -> None:
    """Nobody waits."""
