# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening the render pool that the settings ask for."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gdr_core.settings import RunSettings

from .workers.dispatcher import Dispatcher
from .workers.local_transport import LocalTransport
from .workers.notices import Notices, Notify
from .workers.on_ray.transport import RayTransport
from .workers.transport import Transport

log = logging.getLogger(__name__)


@contextmanager
def open_pool(
    settings: RunSettings,
    check: Callable[[], None],
    log_dir: Path | None = None,
    notify: Notify = log.warning,
) -> Iterator[Dispatcher]:
    """Start the render workers that the settings ask for, and end them afterwards.

    Parameters
    ----------
    check
        Called while waiting; may raise to leave.
    log_dir
        Where the output of workers on this computer goes; a temporary folder when None.
    notify
        Called with what a person should know of the workers, a sentence without its full stop.
    """
    with ExitStack() as stack:
        if settings.rendering.pool == "ray":
            transport: Transport = RayTransport(settings, Notices(notify))
        else:
            if log_dir is None:
                # On Windows what just ended may still have a file open.
                scratch = tempfile.TemporaryDirectory(prefix="gdr-", ignore_cleanup_errors=True)
                log_dir = Path(stack.enter_context(scratch))
            transport = LocalTransport(settings, log_dir, Notices(notify))
        stack.callback(transport.close)
        yield Dispatcher(settings, transport, check)
