# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to render that are compared: a request goes out, a tensor comes back."""

from __future__ import annotations

import contextlib
import logging
import time
from pathlib import Path
from typing import Protocol

import numpy as np
import psutil
import torch

from blendtorch import btt
from gdr_core.settings import RenderSettings, RunSettings, SceneSettings, TrainingSettings
from gdr_core.supershape.parameters import COUNT
from trainer.rendering import blender
from trainer.rendering.workers.dispatcher import Dispatcher
from trainer.rendering.workers.local_transport import LocalTransport
from trainer.rendering.workers.notices import Notices
from trainer.rendering.workers.patience import START_S

TURN_S = 0.5
log = logging.getLogger(__name__)

_SCRIPT = Path(__file__).with_name("reference_worker.py")


class Way(Protocol):
    """One way to render.

    Attributes
    ----------
    rendering
        Seconds that its Blender says it spent on the latest batch; 0 where it does not say.
    pid
        Its Blender's process.
    """

    rendering: float

    @property
    def pid(self) -> int: ...

    def render(self, rows: np.ndarray) -> torch.Tensor:
        """Return ``(N, S, S, 3)`` uint8."""
        ...

    def close(self) -> None:
        """End the Blender."""
        ...


class OurWay:
    """A render pool of one worker, as a run has it.

    Attributes
    ----------
    grid
        Of the surface.
    """

    def __init__(self, size: int, logs: Path, grid: tuple[int, int], **rendering) -> None:
        self.rendering = 0.0
        settings = RunSettings(
            scene=SceneSettings(options={"grid": list(grid)}),
            training=TrainingSettings(size=size),
            rendering=RenderSettings(workers=1, **rendering),
        ).filled()
        self.grid = grid
        transport = LocalTransport(settings, logs, Notices(log.warning))
        self._transport = transport
        self._pool = Dispatcher(settings, transport, lambda: None)

    @property
    def pid(self) -> int:
        """Of its Blender."""
        return self._transport.workers[0]._process.pid

    def render(self, rows: np.ndarray) -> torch.Tensor:
        """Return ``(N, S, S, 3)`` uint8."""
        before = self._pool.seconds_rendering
        images = torch.from_numpy(self._pool.render(rows))
        self.rendering = self._pool.seconds_rendering - before
        return images

    def close(self) -> None:
        """End the Blender."""
        self._transport.close()


class ReferenceWay:
    """One draw and one message an image, from ``reference_worker.py``."""

    def __init__(self, size: int, logs: Path) -> None:
        self.rendering = 0.0
        self._size = size
        self._open = contextlib.ExitStack()
        launcher = btt.BlenderLauncher(
            scene="",
            script=str(_SCRIPT),
            named_sockets=["CTRL"],
            background=True,
            blend_path=blender.find(),
            factory_startup=True,
            startup_timeout=START_S,
            log_dir=logs,
        )
        info = self._open.enter_context(launcher).launch_info
        self.pid = info.processes[0].pid
        self._channel = self._open.enter_context(btt.DuplexChannel(info.addresses["CTRL"][0]))

    def render(self, rows: np.ndarray) -> torch.Tensor:
        """Return ``(N, S, S, 3)`` uint8."""
        self._channel.send(parameters=rows[:, :COUNT].astype(np.float32), size=self._size)
        return torch.from_numpy(np.stack([self._channel.recv()["image"] for _ in rows]))

    def close(self) -> None:
        """End the Blender."""
        self._open.close()


def take_turn(way: Way, rows: np.ndarray) -> tuple[float, float, float]:
    """Render batches one after the other, as a run does, for :data:`TURN_S` at least.

    Returns
    -------
    total, processor, rendering
        Seconds a batch: by the clock, of all cores in its Blender, and what that says it spent.
    """
    process = psutil.Process(way.pid)
    before, started = process.cpu_times(), time.perf_counter()
    batches, rendering, took = 0, 0.0, 0.0
    while took < TURN_S:
        way.render(rows)
        rendering += way.rendering
        batches += 1
        took = time.perf_counter() - started
    after = process.cpu_times()
    processor = after.user + after.system - before.user - before.system
    return took / batches, processor / batches, rendering / batches
