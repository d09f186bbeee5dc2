# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to render that are compared: a request goes out, a tensor comes back."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from blendtorch import btt
from gdr_core.settings import RenderSettings, RunSettings, TrainingSettings
from trainer import blender
from trainer.workers.local_pool import LocalPool
from trainer.workers.patience import START_S

_SCRIPT = Path(__file__).with_name("reference_worker.py")


class Way(Protocol):
    """One way to render.

    Attributes
    ----------
    rendering
        Seconds that its Blender says it spent on the latest batch; 0 where it does not say.
    """

    rendering: float

    def render(self, parameters: np.ndarray) -> torch.Tensor:
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

    def __init__(self, size: int, logs: Path, **rendering) -> None:
        self.rendering = 0.0
        settings = RunSettings(
            training=TrainingSettings(size=size),
            rendering=RenderSettings(workers=1, **rendering),
        ).filled()
        self.grid = settings.rendering.grid
        self._pool = LocalPool(settings, lambda: None, logs)

    def render(self, parameters: np.ndarray) -> torch.Tensor:
        """Return ``(N, S, S, 3)`` uint8."""
        before = self._pool.seconds_rendering
        images = torch.from_numpy(self._pool.render(parameters))
        self.rendering = self._pool.seconds_rendering - before
        return images

    def close(self) -> None:
        """End the Blender."""
        self._pool.close()


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
        address = self._open.enter_context(launcher).launch_info.addresses["CTRL"][0]
        self._channel = self._open.enter_context(btt.DuplexChannel(address))

    def render(self, parameters: np.ndarray) -> torch.Tensor:
        """Return ``(N, S, S, 3)`` uint8."""
        self._channel.send(parameters=parameters, size=self._size)
        return torch.from_numpy(np.stack([self._channel.recv()["image"] for _ in parameters]))

    def close(self) -> None:
        """End the Blender."""
        self._open.close()


def seconds_of(way: Way, parameters: np.ndarray) -> float:
    """Return how long a batch takes."""
    started = time.perf_counter()
    way.render(parameters)
    return time.perf_counter() - started
