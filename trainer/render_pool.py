# SPDX-License-Identifier: GPL-3.0-or-later
"""The render pool: parameters in, images out, wherever they are rendered.

Workers are separate Blender processes. One that dies or hangs is replaced and what it was
rendering is given to another; a request has an id, so a late answer is recognised and dropped.
"""

from __future__ import annotations

import itertools
import logging
import os
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from blendtorch import btt
from blendtorch.errors import BlendtorchError, PeerLost, WireError
from gdr_core.errors import GdrError
from gdr_core.messages import (
    Message,
    RenderFailure,
    RenderReply,
    RenderRequest,
    WorkerReady,
    pack,
    unpack,
)
from gdr_core.settings import RunSettings

from . import blender

log = logging.getLogger(__name__)

START_TIMEOUT_S = 120.0
REQUEST_TIMEOUT_S = 60.0
"""How long a request may take before its first image; each image is allowed more on top."""
IMAGE_TIMEOUT_S = 10.0
MAX_ATTEMPTS = 3
"""Workers that may die of one request before the run gives up."""
MAX_FAILED_STARTS = 2
"""Workers in a row that may fail to start before the run gives up."""
CHUNK = 16
"""Shapes a request. Fixed, so that a batch is divided alike, and its images are the same to the
last bit, for any number of workers: a draw's rounding depends on the place in its atlas."""
IDLE_WAIT_MS = 5


class RenderPool(Protocol):
    """Where renders come from."""

    def render(self, parameters: np.ndarray, lights: np.ndarray | None = None) -> np.ndarray:
        """Return the images ``(N, S, S, 3)`` uint8 of the parameters ``(N, 12)``.

        Parameters
        ----------
        parameters
            In the order of :data:`gdr_core.parameters.NAMES`.
        lights
            ``(N,)`` uint32, as in :class:`gdr_core.messages.RenderRequest`; None for the scene's
            own light.

        Raises
        ------
        GdrError
            They cannot be rendered.
        """


@contextmanager
def open_pool(
    settings: RunSettings, check: Callable[[], None], log_dir: Path | None = None
) -> Iterator[RenderPool]:
    """Start the render workers that the settings ask for, and end them afterwards.

    Parameters
    ----------
    check
        Called while waiting; may raise to leave.
    log_dir
        Where the workers' output goes; a temporary folder when None.
    """
    with tempfile.TemporaryDirectory(prefix="gdr-") as scratch:
        pool = LocalPool(settings, check, log_dir or Path(scratch))
        try:
            yield pool
        finally:
            pool.close()


def default_workers() -> int:
    """Return how many workers suit this computer: half its cores, 1 to 4.

    Software OpenGL uses several cores by itself, and the trainer needs some.
    """
    return max(1, min(4, (os.cpu_count() or 2) // 2))


@dataclass
class _Job:
    """A part of a batch, rows ``first`` to ``first + len(parameters)``, and their lights."""

    first: int
    parameters: np.ndarray
    lights: np.ndarray
    attempts: int = 0


class _Worker:
    """One render worker: starting, then ready; working on at most one job.

    Parameters
    ----------
    launcher
        Not yet entered; that is done in a thread, since it waits for Blender.
    """

    def __init__(self, launcher: btt.BlenderLauncher):
        self.job: _Job | None = None
        self.request_id = -1
        self.deadline = time.monotonic() + START_TIMEOUT_S
        self.ready = False
        self._launcher = launcher
        self._channel: btt.DuplexChannel | None = None
        self._process: subprocess.Popen | None = None
        self._log: Path | None = None
        self._launched = threading.Event()
        self._address: Future[str] = Future()
        # A daemon, so that a trainer that is told to stop never waits for a Blender that starts.
        threading.Thread(target=self._launch, name="start-worker", daemon=True).start()

    def receive(self, timeout_ms: int) -> Message | None:
        """Return the next message or None.

        Raises
        ------
        BlendtorchError
            The worker could not be started, or is lost.
        """
        if self._channel is None:
            if not self._address.done():
                time.sleep(timeout_ms / 1000)
                return None
            self._channel = btt.DuplexChannel(self._address.result())
        data = self._channel.recv(timeoutms=timeout_ms)
        if data is not None:
            return unpack(data)
        if self._process.poll() is not None:
            # One that dies before it was connected is never missed by the channel.
            raise PeerLost(f"It ended with exit code {self._process.returncode}.")
        return None

    def send(self, request: RenderRequest) -> None:
        self._channel.send(**pack(request))

    def close(self) -> None:
        """End the process, whatever its state."""
        if self._channel is not None:
            self._channel.close()
        self._launched.wait(START_TIMEOUT_S)
        self._launcher.__exit__(None, None, None)

    def obituary(self, error: Exception) -> str:
        """Return a sentence about a worker that could not be started; call before closing."""
        if self._process is None:
            return str(error)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        if self._process.poll() is None:
            return f"Blender did not answer within {START_TIMEOUT_S:.0f} seconds."
        said = self._log.read_text("utf-8", "replace") if self._log.is_file() else ""
        return blender.explain_death(self._process.returncode, said)

    def _launch(self) -> None:
        try:
            try:
                info = self._launcher.__enter__().launch_info
                self._process, self._log = info.processes[0], Path(info.log_files[0])
            finally:
                self._launched.set()
            self._address.set_result(info.addresses["CTRL"][0])
        except OSError as error:
            self._address.set_exception(PeerLost(f"Blender cannot be started: {error}"))
        except Exception as error:  # Raised again where the address is asked for.
            self._address.set_exception(error)


class LocalPool:
    """Render workers on this computer.

    Parameters
    ----------
    settings
        ``rendering`` and ``training.size`` are used.
    check
        Called while waiting; may raise to leave.
    log_dir
        Where the workers' output goes.
    """

    def __init__(self, settings: RunSettings, check: Callable[[], None], log_dir: Path):
        self._rendering = settings.rendering
        self._size = settings.training.size
        self._check = check
        self._log_dir = log_dir
        self._blender = blender.find(settings.rendering.blender)
        self._ids = itertools.count(1)
        self._instances = itertools.count()
        count = settings.rendering.workers or default_workers()
        self._failed_starts = 0
        self._workers: list[_Worker] = []
        try:
            for _ in range(count):
                self._workers.append(self._start())
        except BaseException:
            self.close()
            raise
        log.info("Starting %d render worker%s (%s)", count, "s" * (count > 1), self._blender)

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.close()

    def render(self, parameters: np.ndarray, lights: np.ndarray | None = None) -> np.ndarray:
        """See :class:`RenderPool`."""
        parameters = np.ascontiguousarray(parameters, dtype=np.float32)
        lights = _checked(lights, len(parameters))
        images = np.empty((len(parameters), self._size, self._size, 3), dtype=np.uint8)
        waiting = deque(
            _Job(first, parameters[first : first + CHUNK], lights[first : first + CHUNK])
            for first in range(0, len(parameters), CHUNK)
        )
        missing = len(waiting)
        for worker in self._workers:
            worker.job = None  # Of a batch that was given up; the answer will come too late.
        while missing:
            self._check()
            for index, worker in enumerate(self._workers):
                try:
                    missing -= self._serve(worker, waiting, images)
                except (BlendtorchError, _Overdue) as error:
                    self._replace(index, waiting, error)
        return images

    def _serve(self, worker: _Worker, waiting: deque[_Job], images: np.ndarray) -> int:
        """Give the worker something to do and take what it has done; return finished jobs."""
        if worker.ready and worker.job is None and waiting:
            self._give(worker, waiting.popleft())
        idle = worker.ready and worker.job is None
        try:
            message = worker.receive(0 if idle else IDLE_WAIT_MS)
        except (WireError, msgspec.ValidationError) as error:
            raise PeerLost(f"The worker sent what is no answer: {error}") from error
        if isinstance(message, WorkerReady):
            worker.ready = True
            self._failed_starts = 0
            log.info("Render worker ready: Blender %s, %s", message.blender, message.device)
        elif worker.job is None or getattr(message, "id", None) != worker.request_id:
            pass  # Nothing, or a late answer to what another worker has done meanwhile.
        elif isinstance(message, RenderFailure):
            raise GdrError(message.text)
        elif isinstance(message, RenderReply):
            job = worker.job
            expected = (len(job.parameters), *images.shape[1:])
            if message.images.shape != expected or message.images.dtype != np.uint8:
                raise PeerLost(f"The worker sent images of shape {message.images.shape}")
            worker.job = None
            images[job.first : job.first + len(job.parameters)] = message.images
            return 1
        if not (worker.ready and worker.job is None) and time.monotonic() > worker.deadline:
            raise _Overdue("It did not answer in time.")
        return 0

    def _give(self, worker: _Worker, job: _Job) -> None:
        worker.job = job
        worker.request_id = next(self._ids)
        allowed = REQUEST_TIMEOUT_S + IMAGE_TIMEOUT_S * len(job.parameters)
        worker.deadline = time.monotonic() + allowed
        worker.send(
            RenderRequest(
                id=worker.request_id,
                parameters=job.parameters,
                size=self._size,
                renderer=self._rendering.renderer,
                grid=self._rendering.grid,
                samples=self._rendering.samples,
                camera=self._rendering.camera,
                lights=job.lights,
            )
        )

    def _replace(self, index: int, waiting: deque[_Job], error: Exception) -> None:
        """Put a new worker in the place of a lost one, its job back at the front."""
        worker = self._workers[index]
        if not worker.ready:
            sentence = worker.obituary(error)
            worker.close()
            self._failed_starts += 1
            if self._failed_starts >= MAX_FAILED_STARTS:
                raise GdrError(f"No render worker could be started. {sentence}") from error
            log.warning("A render worker did not start, trying again: %s", sentence)
        else:
            log.warning("A render worker was lost and is replaced: %s", error)
            worker.close()
        job = worker.job
        if job is not None:
            job.attempts += 1
            if job.attempts >= MAX_ATTEMPTS:
                raise GdrError(
                    f"{job.attempts} render workers in a row died of the same shapes. "
                    f"The last one: {error}"
                ) from error
            waiting.appendleft(job)
        self._workers[index] = self._start()

    def _start(self) -> _Worker:
        log_dir = self._log_dir / f"worker-{next(self._instances)}"
        site_packages = os.environ.get("GDR_WORKER_SITE_PACKAGES", "")
        try:
            launcher = btt.BlenderLauncher(
                scene="",
                script=str(blender.WORKER_SCRIPT),
                named_sockets=["CTRL"],
                background=True,
                blend_path=self._blender,
                factory_startup=True,
                startup_timeout=START_TIMEOUT_S,
                python_path=[p for p in site_packages.split(os.pathsep) if p],
                log_dir=log_dir,
            )
        except ValueError as error:  # It does not say what version it is.
            raise GdrError(
                f"{self._blender} is no Blender that starts; set GDR_BLENDER (or "
                f"rendering.blender) to the executable of Blender 4.3 or newer."
            ) from error
        return _Worker(launcher)


def _checked(lights: np.ndarray | None, count: int) -> np.ndarray:
    """Return the lights of ``count`` shapes, or none of them for the scene's own."""
    if lights is None:
        return np.empty(0, dtype=np.uint32)
    if lights.shape != (count,):  # In chunks too many or too few would not be seen.
        raise GdrError(f"{count} shapes cannot be rendered in lights of shape {lights.shape}.")
    return lights


class _Overdue(Exception):
    """A worker took longer than it may."""
