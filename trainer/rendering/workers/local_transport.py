# SPDX-License-Identifier: GPL-3.0-or-later
"""Render workers on this computer, which are replaced when something is wrong with them."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blendtorch import btt
from gdr_core import shared_names
from gdr_core.errors import GdrError
from gdr_core.messages import RenderFailure, RenderReply, RenderRequest, WorkerReady
from gdr_core.settings import RunSettings

from .. import blender
from .batch import RenderJob
from .choice import choose_workers, drawing_threads, physical_cores
from .local_worker import LocalWorker, WorkerLost, wait_any
from .notices import Notices
from .patience import START_S, Patience
from .transport import Event, Failed, Lost, Phase, Rendered, Transport

log = logging.getLogger(__name__)

MAX_FAILED_STARTS = 2
"""Workers in a row that may fail to start before the run goes on with fewer, or gives up."""
_NOTICES = {
    kind: f"A render worker {what} replaced, and its images are rendered again"
    for kind, what in {
        "died": "was lost and",
        "hung": "hung and was",
        "memory": "used too much memory and was",
        "answer": "gave a wrong answer and was",
    }.items()
}


class NoWorkerStarts(GdrError):
    """This computer has no worker and cannot start one; whatever is to be rendered."""


@dataclass
class _Renewal:
    """A worker that has rendered enough, and the one that starts to take its place."""

    old: LocalWorker
    new: LocalWorker


class LocalTransport(Transport):
    """Each worker is a Blender, with a channel to it.

    Parameters
    ----------
    settings
        ``scene``, ``rendering`` and ``training.size`` are used.
    log_dir
        Where the workers' output goes.
    notices
        What a person should know.
    cores
        Those that all workers together may draw on; None for this computer's.

    Attributes
    ----------
    greeting
        What the worker that got ready last said of itself; None before.
    """

    reusable = True
    workers: list[LocalWorker]

    def __init__(
        self, settings: RunSettings, log_dir: Path, notices: Notices, cores: float | None = None
    ):
        super().__init__(notices)
        self._blender = blender.find(settings.rendering.blender)
        self._ids = itertools.count(1)
        self._patience = Patience()
        self.greeting: WorkerReady | None = None
        self._renewal: _Renewal | None = None
        self._ending: list[LocalWorker] = []
        self._count = settings.rendering.workers or choose_workers(settings.rendering.worker_memory)
        self._threads = drawing_threads((cores or physical_cores()) / self._count)
        self._begin_run(settings, log_dir)
        try:
            self.tend()
        except BaseException:
            self.close()
            raise
        plural = "s" * (self._count > 1)
        log.info("Starting %d render worker%s (%s)", self._count, plural, self._blender)

    def _begin_run(self, settings: RunSettings, log_dir: Path) -> None:
        self._scene = settings.scene.resolve()
        self._rendering = settings.rendering
        self._size = settings.training.size
        self._log_dir = log_dir
        self._instances = itertools.count(len(self.workers))
        self._patience.forget()
        self._wanted = self._count
        self._failed_starts = 0

    def close(self) -> None:
        """End all workers."""
        for worker in self._everyone():
            self._end(worker)
        for worker in self._ending:
            worker.join()

    # --- as Transport has it ---------------------------------------------------------------------

    def events(self, wait_s: float) -> Iterator[Event]:
        if wait_s:
            wait_any(self._everyone(), wait_s)
        for worker in self._everyone():
            try:
                yield from self._answers(worker)
            except WorkerLost as loss:
                yield from self._lose(worker, loss)

    def tend(self) -> None:
        self._renew()
        while sum(worker.phase is not Phase.RETIRED for worker in self.workers) < self._wanted:
            self.workers.append(self._start())

    def send(self, worker: LocalWorker, jobs: list[RenderJob], count: int) -> None:
        (job,) = jobs
        request = RenderRequest(
            id=next(self._ids),
            scene=self._scene,
            rows=job.rows,
            size=self._size,
            renderer=self._rendering.renderer,
            samples=self._rendering.samples,
            denoise=self._rendering.denoise,
            device=self._rendering.device,
        )
        worker.send(job, request)

    def sharing(self, count: int) -> int:
        return self._wanted

    def idle(self) -> bool:
        free = [worker for worker in self.workers if worker.ready and not worker.calls]
        return len(free) == len(self._everyone()) == self._count

    def release(self) -> None:
        self._redirect(lambda index: None)

    def reuse(self, settings: RunSettings, log_dir: Path) -> None:
        self._begin_run(settings, log_dir)
        self._redirect(self._output)
        log.info("%d render workers of the last run are at hand", len(self.workers))

    def _redirect(self, output: Callable[[int], Path | None]) -> None:
        """Have each worker print to the file for its place from now on."""
        try:
            for index, worker in enumerate(self.workers):
                worker.begin(output(index))
        except WorkerLost as loss:
            raise GdrError(f"A render worker is gone: {loss}.") from loss

    # --- answers ---------------------------------------------------------------------------------

    def _answers(self, worker: LocalWorker) -> Iterator[Event]:
        """Yield the answers that the worker has sent; WorkerLost if it is of no use any more."""
        while (message := worker.receive()) is not None:
            if isinstance(message, WorkerReady):
                self._welcome(worker, message)
                continue
            if not isinstance(message, (RenderReply, RenderFailure)):
                raise WorkerLost("answer", f"it sent {type(message).__name__}")
            call = worker.call(message.id)
            if isinstance(message, RenderFailure):
                worker.finish()
                yield Failed(call, message.text)
                continue
            images, wanted = message.images, (len(call.jobs[0]), self._size, self._size, 3)
            if images.shape != wanted or images.dtype != np.uint8:
                raise WorkerLost("answer", f"it sent images of shape {images.shape}")
            worker.finish()
            yield Rendered(call, [images], message.seconds)

    def _welcome(self, worker: LocalWorker, message: WorkerReady) -> None:
        worker.phase = Phase.READY
        self.greeting = message
        self._failed_starts = 0
        log.info("Render worker ready: Blender %s, %s", message.blender, message.device)
        limit = self._rendering.worker_memory
        if limit and (used := worker.memory_mb()) > limit:
            raise GdrError(
                f"A render worker that has rendered nothing yet uses {used:.0f} MB of memory; "
                f"allow more than {limit} MB (--worker-memory)."
            )

    # --- workers that come and go ----------------------------------------------------------------

    def _renew(self) -> None:
        """Start a successor for a worker that has rendered enough, and end those that have one.

        One at a time, so that there is one Blender more than there should be, and no more.
        """
        if self._renewal is not None and self._renewal.new.ready:
            old = self._renewal.old
            old.phase = Phase.RETIRED
            self.workers.append(self._renewal.new)
            self._renewal = None
            log.info("A render worker that made %d images is renewed", old.rendered)
        retired = [worker for worker in self.workers if worker.phase is Phase.RETIRED]
        for worker in retired:
            if not any(call.wanted for call in worker.calls):
                self.workers.remove(worker)
                self._end(worker)
        limit = self._rendering.recycle_after
        if limit and self._renewal is None and not retired:
            for worker in self.workers:
                if worker.rendered >= limit:
                    self._renewal = _Renewal(worker, self._start())
                    return

    def _lose(self, worker: LocalWorker, loss: WorkerLost) -> Iterator[Event]:
        """End a worker of no use, and have another take its place."""
        self._end(worker)
        if self._renewal is not None and worker is self._renewal.new:
            # The old one goes on, and has another try later.
            self._renewal.old.rendered = 0
            self._renewal = None
            log.warning("A render worker that was to replace another did not start: %s", loss)
            return
        place = self.workers.index(worker)
        del self.workers[place]
        if self._renewal is not None and worker is self._renewal.old:
            self.workers.insert(place, self._renewal.new)
            self._renewal = None
        if worker.phase is Phase.STARTING:
            self._count_failed_start(loss)
        else:
            yield Lost(list(worker.calls), loss.kind, _NOTICES[loss.kind], str(loss))

    def _count_failed_start(self, loss: WorkerLost) -> None:
        """Let another try, then go on with fewer workers if there are others."""
        self._failed_starts += 1
        if self._failed_starts < MAX_FAILED_STARTS:
            log.warning("A render worker did not start, trying again: %s", loss)
        elif any(other.ready for other in self.workers):
            self._wanted -= 1
            self.notices.once(
                f"start {len(self.workers)}",
                f"A render worker does not start, the run goes on with {len(self.workers)}: "
                f"{str(loss).rstrip('.')}",
            )
        else:
            raise NoWorkerStarts(f"No render worker could be started. {loss}") from loss

    def _start(self) -> LocalWorker:
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
        return LocalWorker(launcher, self._patience, self._rendering.worker_memory)

    def _output(self, instance: int) -> Path:
        """Return the file that takes what a worker prints; the launcher gives it its name."""
        return self._log_dir / f"worker-{instance}" / "blender-0.log"

    def _end(self, worker: LocalWorker) -> None:
        """Let the worker end, which can take seconds, while the others go on."""
        worker.close()
        self._ending = [other for other in self._ending if not other.ended]
        self._ending.append(worker)

    def _everyone(self) -> list[LocalWorker]:
        """Return all workers, and the one that starts to succeed another."""
        return self.workers + ([self._renewal.new] if self._renewal is not None else [])
