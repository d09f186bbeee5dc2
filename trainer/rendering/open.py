# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening the render pool that the settings ask for."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gdr_core.settings import RunSettings

from .pool import RenderPool
from .workers.local_pool import LocalPool
from .workers.on_ray.pool import RayPool

log = logging.getLogger(__name__)


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
