# SPDX-License-Identifier: GPL-3.0-or-later
"""One trainer's process and the channel to it, for one run or several. No bpy here."""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import IO

from ...blendtorch import btb, lifeline
from ...blendtorch.credentials import Credentials
from ...blendtorch.errors import BlendtorchError
from ...gdr_core import shared_names
from ...gdr_core.settings import RunSettings
from . import trainer_process

log = logging.getLogger(__name__)

_LEAVE_S = 5.0
"""How long a trainer that is let go may take to leave by itself."""


@dataclass(frozen=True)
class Launch:
    """What a session needs to start a trainer.

    Attributes
    ----------
    python
        The trainer's Python.
    settings
        The run.
    folder
        The run folder; it exists.
    root
        The folder with ``trainer``, ``gdr_core`` and ``blendtorch``.
    worker_packages
        Folders in which render workers find zmq and msgspec.
    ray_address
        Of the cluster to render on; empty for that of the environment.
    arguments
        What the Python is told to run.
    keep
        Seconds for which the trainer stays after the run, to make another one; 0 to leave with it.
    """

    python: str
    settings: RunSettings
    folder: Path
    root: Path = field(default_factory=trainer_process.root_folder)
    worker_packages: tuple[Path, ...] = ()
    ray_address: str = ""
    arguments: tuple[str, ...] = ("-m", "trainer", "serve")
    keep: float = 0.0

    @property
    def output(self) -> Path:
        """The file that takes what the process prints."""
        return self.folder / shared_names.OUTPUT_LOG

    @property
    def program(self) -> tuple:
        """What makes one trainer's process as good as another."""
        return self.python, self.root, self.worker_packages, self.ray_address, self.arguments


class TrainerLink:
    """A trainer's process, started at once, and the channel to it.

    Parameters
    ----------
    launch
        What to start, and where its output goes at first.

    Attributes
    ----------
    process, channel
        Of the trainer. The process's standard input is its lifeline.

    Raises
    ------
    OSError
        The process cannot be started.
    blendtorch.errors.BlendtorchError
        The channel cannot be opened.
    """

    def __init__(self, launch: Launch) -> None:
        self.program = launch.program
        self._output: IO[bytes] | None = None
        credentials = Credentials.new()
        self.channel = btb.DuplexChannel(
            "tcp://127.0.0.1:*", credentials=credentials, timeoutms=0, raise_lost=True
        )
        extra = {**credentials.to_env(), shared_names.ADDRESS: self.channel.address}
        if launch.ray_address:
            extra[shared_names.RAY_ADDRESS] = launch.ray_address
        try:
            self._output = launch.output.open("wb")
            self.process: Popen = lifeline.spawn(
                [launch.python, *launch.arguments],
                env=trainer_process.environment(launch.root, extra, launch.worker_packages),
                # Not the run folder, which a person may remove while the trainer stays.
                cwd=str(launch.folder.parent),
                stdout=self._output,
                stderr=self._output,
            )
        except BaseException:
            self.close()
            raise

    @property
    def well(self) -> bool:
        """Whether the process is there and connected."""
        return self.process.poll() is None and self.channel.connected

    def fits(self, launch: Launch) -> bool:
        """Whether it can make this run."""
        return self.program == launch.program and self.well

    def release_output(self) -> None:
        """Hold no run's file open; the process looks after its own end of it."""
        if self._output is not None:
            self._output.close()

    def kill(self, grace: float = 0.6, term: float = 0.6) -> None:
        """End the process now, in at most ``grace + term`` seconds and a little."""
        self._close_channel()
        lifeline.stop([self.process], grace=grace, term=term)
        self.close()

    def let_go(self) -> None:
        """Have the process end, without waiting: it leaves when the channel is closed."""
        self._close_channel()
        self.release_output()
        threading.Thread(target=_see_off, args=(self.process,), daemon=True).start()

    def close(self) -> None:
        """Let go of what belongs to a process that has ended."""
        self._close_channel()
        self.release_output()
        process = getattr(self, "process", None)
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()

    def _close_channel(self) -> None:
        try:
            self.channel.close()
        except BlendtorchError:
            log.exception("The channel to the trainer did not close.")


def _see_off(process: Popen) -> None:
    with contextlib.suppress(TimeoutExpired):
        process.wait(_LEAVE_S)
    lifeline.stop([process], grace=1.0, term=2.0)
