# SPDX-License-Identifier: GPL-3.0-or-later
"""One render worker on this computer: a Blender of its own, its channel, and its calls."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from blendtorch import btt
from blendtorch.errors import BlendtorchError, PeerLost, WireError
from gdr_core.messages import Message, RenderRequest, WriteTo, pack, unpack
from gdr_core.shared_names import WORKER_SOCKET

from .. import blender
from .batch import RenderJob
from .memory import used_mb
from .patience import START_S, Patience, Stopwatch
from .transport import Call, Phase, Worker

MEMORY_EVERY_S = 1.0
_CLOSE_S = 20.0
_EXIT_S = 0.5


class WorkerLost(Exception):
    """A worker is of no use any more.

    Attributes
    ----------
    kind
        ``died``, ``hung``, ``memory``, ``answer`` (it sent what is none) or ``start``.
    """

    def __init__(self, kind: str, text: str):
        super().__init__(text)
        self.kind = kind


@dataclass(eq=False, kw_only=True)
class LocalCall(Call):
    """A request to render one job, by its number."""

    id: int


class LocalWorker(Worker):
    """A render worker, which renders one job after the other in the order it got them.

    Parameters
    ----------
    launcher
        Not yet entered; that is done in a thread, since it waits for Blender.
    patience
        How long answers may take, of all workers alike.
    memory_limit
        Megabytes that it may use; 0 for any number.

    Attributes
    ----------
    rendered
        Images that it has made since it was started, or since its successor failed to start.
    """

    calls: deque[LocalCall]

    def __init__(self, launcher: btt.BlenderLauncher, patience: Patience, memory_limit: int = 0):
        super().__init__()
        self.rendered = 0
        self._patience = patience
        self._memory_limit = memory_limit
        self._memory_seen = time.monotonic()
        self._warm = False
        self._stopwatch = Stopwatch()
        self._loss: WorkerLost | None = None
        self._launcher = launcher
        self._channel: btt.DuplexChannel | None = None
        self._process: subprocess.Popen | None = None
        self._log: Path | None = None
        self._launched = threading.Event()
        self._address: Future[str] = Future()
        # Daemons, so that a trainer that is told to stop never waits for a Blender.
        self._end = threading.Thread(target=self._leave, name="end-worker", daemon=True)
        threading.Thread(target=self._launch, name="start-worker", daemon=True).start()

    def send(self, job: RenderJob, request: RenderRequest) -> None:
        """Ask for a job; :meth:`receive` raises if it cannot be asked."""
        if not self.calls:
            self._stopwatch.restart()
        self.calls.append(LocalCall([job], id=request.id))
        try:
            self._channel.send(**pack(request))
        except BlendtorchError:
            self._loss = self._cause_of_loss()

    def begin(self, output: Path | None) -> None:
        """Be ready for another run, whose first images may take as long as those of a new worker.

        Parameters
        ----------
        output
            File that takes what the process prints from now on; None for no file.

        Raises
        ------
        WorkerLost
            It is gone.
        """
        self._warm = False
        try:
            self._channel.send(**pack(WriteTo(path="" if output is None else str(output))))
        except BlendtorchError as error:
            raise self._cause_of_loss() from error

    def receive(self) -> Message | None:
        """Return the next message, or None if there is none yet.

        Raises
        ------
        WorkerLost
            It could not be started, it is gone, it has not answered in time, it uses too much
            memory, or what it sent is no message.
        """
        if self._loss is not None:
            raise self._loss
        if self._channel is None and not self._connect():
            self._check_time()
            return None
        try:
            data = self._channel.recv(timeoutms=0)
            if data is not None:
                return unpack(data)
        except (WireError, msgspec.ValidationError) as error:
            raise WorkerLost("answer", f"it sent what is no answer ({error})") from error
        except BlendtorchError as error:
            raise self._cause_of_loss() from error
        heard = self._channel.connected or self._channel.peer_lost
        if not heard and self._process.poll() is not None:
            # One that dies before it was connected is never missed by the channel.
            raise self._cause_of_loss()
        self._check_time()
        self._check_memory()
        return None

    def call(self, request_id: int) -> LocalCall:
        """Return the call that an answer is for.

        Raises
        ------
        WorkerLost
            It is not for the one that comes next.
        """
        if not self.calls or self.calls[0].id != request_id:
            raise WorkerLost("answer", "it answered what it was not asked")
        return self.calls[0]

    def finish(self) -> None:
        """Be done with the call that comes next."""
        images = self._images_next()
        self.calls.popleft()
        self._patience.note(images, self._stopwatch.look())
        self._stopwatch.restart()
        self.rendered += images
        self._warm = True

    def memory_mb(self) -> float:
        """Return the memory that it uses."""
        return used_mb(self._process.pid) if self._process is not None else 0.0

    def close(self) -> None:
        """Begin to end the process, whatever its state; does not wait."""
        if self._channel is not None:
            self._channel.close()
        if self._end.ident is None:
            self._end.start()

    @property
    def ended(self) -> bool:
        """Whether the process has ended, after :meth:`close`."""
        return not self._end.is_alive()

    def join(self) -> None:
        """Wait until the process has ended, after :meth:`close`."""
        self._end.join(START_S + _CLOSE_S)

    # --- how it starts and ends ------------------------------------------------------------------

    def _launch(self) -> None:
        try:
            try:
                info = self._launcher.__enter__().launch_info
                self._process, self._log = info.processes[0], Path(info.log_files[0])
            finally:
                self._launched.set()
            self._address.set_result(info.addresses[WORKER_SOCKET][0])
        except Exception as error:  # Raised again where the address is asked for.
            self._address.set_exception(error)

    def _leave(self) -> None:
        self._launched.wait(START_S)
        self._launcher.__exit__(None, None, None)

    def _connect(self) -> bool:
        """Open the channel if Blender has said where; return whether it is open."""
        if not self._address.done():
            return False
        try:
            self._channel = btt.DuplexChannel(self._address.result())
        except (BlendtorchError, OSError) as error:
            raise WorkerLost("start", self._start_failure(error)) from error
        return True

    def _check_time(self) -> None:
        waited = self._stopwatch.look()
        if self.phase is Phase.STARTING:
            if waited > START_S:
                raise WorkerLost("start", f"Blender did not answer within {START_S:.0f} seconds.")
        elif self.calls:
            allowed = self._patience.limit(self._images_next(), first=not self._warm)
            if waited > allowed:
                raise WorkerLost("hung", f"it did not answer within {allowed:.0f} seconds")

    def _check_memory(self) -> None:
        limit = self._memory_limit
        if not (limit and self.calls) or time.monotonic() < self._memory_seen + MEMORY_EVERY_S:
            return
        self._memory_seen = time.monotonic()
        if (used := self.memory_mb()) > limit:
            raise WorkerLost("memory", f"it used {used:.0f} MB of memory, more than {limit} MB")

    def _images_next(self) -> int:
        return sum(map(len, self.calls[0].jobs))

    def _cause_of_loss(self) -> WorkerLost:
        """Return what became of a worker that the channel misses."""
        if self.phase is Phase.STARTING:
            return WorkerLost("start", self._start_failure(PeerLost("Blender ended.")))
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_EXIT_S)
        code = self._process.poll()
        if code is None:
            return WorkerLost("hung", "it stopped responding")
        if code >= 0:
            return WorkerLost("died", f"it ended with exit code {code}")
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = ", which the system does where memory runs out" if name == "SIGKILL" else ""
        return WorkerLost("died", f"it was ended by {name}{hint}")

    def _start_failure(self, error: Exception) -> str:
        """Return a sentence."""
        if self._process is None:
            return f"Blender cannot be started: {error}."
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_EXIT_S)
        if self._process.poll() is None:
            return f"Blender did not answer within {START_S:.0f} seconds."
        said = self._log.read_text("utf-8", "replace") if self._log.is_file() else ""
        return blender.explain_death(self._process.returncode, said)


def wait_any(workers: Iterable[LocalWorker], timeout_s: float) -> None:
    """Wait until one of the workers has news, at most so long."""
    channels = [worker._channel for worker in workers if worker._channel is not None]
    if channels:
        btt.wait_any(channels, timeout_s * 1000)
    else:
        time.sleep(timeout_s)
