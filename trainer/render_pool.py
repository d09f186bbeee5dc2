# SPDX-License-Identifier: GPL-3.0-or-later
"""The render pool: parameters in, images out, wherever they are rendered."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from gdr_core.settings import RunSettings

from .workers.local_pool import LocalPool
from .workers.on_ray.pool import RayPool

log = logging.getLogger(__name__)


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

    def stream(
        self, parameters: np.ndarray, lights: np.ndarray | None = None
    ) -> Iterator[np.ndarray]:
        """Yield the same images some at a time, in their order, while later ones are rendered.

        How many there are at a time is the pool's to say. Its workers are kept busy while the
        caller does something with them, and wait for one that is slow: images ahead of the next
        are few, whatever ``N``. Who leaves early loses nothing but the rest.

        Yields
        ------
        ndarray
            ``(n, S, S, 3)`` uint8, which is only to be read.

        Raises
        ------
        GdrError
            They cannot be rendered.
        """


@contextmanager
def open_pool(
    settings: RunSettings,
    check: Callable[[], None],
    log_dir: Path | None = None,
    tell: Callable[[str], None] = log.warning,
) -> Iterator[RenderPool]:
    """Start the render workers that the settings ask for, and end them afterwards.

    Parameters
    ----------
    check
        Called while waiting; may raise to leave.
    log_dir
        Where the output of workers on this computer goes; a temporary folder when None.
    tell
        Called with what a person should know of the workers, a sentence without its full stop.
    """
    with ExitStack() as stack:
        if settings.rendering.pool == "ray":
            pool = RayPool(settings, check, tell)
        else:
            if log_dir is None:
                # On Windows what just ended may still have a file open.
                scratch = tempfile.TemporaryDirectory(prefix="gdr-", ignore_cleanup_errors=True)
                log_dir = Path(stack.enter_context(scratch))
            pool = LocalPool(settings, check, log_dir, tell)
        stack.callback(pool.close)
        yield pool
