# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds a render pool between runs, so that the next run need not wait for Blender to start."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec.structs import replace

from gdr_core.errors import GdrError
from gdr_core.settings import RenderSettings, RunSettings

from .open import open_pool
from .pool import RenderPool
from .workers.dispatcher import Dispatcher
from .workers.notices import Notify

log = logging.getLogger(__name__)

IDLE_S = 1.0
"""How long workers may take to finish what nobody wants any more; else they are not kept."""
_ASKED_FOR = ("samples",)
"""Settings that go with each request, so that any worker will do."""


class KeptPool:
    """A pool that outlives the run it was opened for; a context manager that ends it.

    Attributes
    ----------
    keeps
        Whether the pool is to outlive the run that has it now.
    """

    def __init__(self) -> None:
        self.keeps = True
        self._open = ExitStack()
        self._pool: Dispatcher | None = None
        self._needs: tuple[str, RenderSettings] | None = None

    def __enter__(self) -> KeptPool:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def lend(
        self,
        settings: RunSettings,
        check: Callable[[], None],
        log_dir: Path,
        notify: Notify = log.warning,
    ) -> Iterator[RenderPool]:
        """Be :func:`.open_pool` to a run: give it the pool of the last one, or open another.

        Where the pool is kept it is open still when the run ends, and :meth:`rest` is to be called.
        """
        if not self._hand_over(settings, check, log_dir, notify):
            self.close()
            self._pool = self._open.enter_context(open_pool(settings, check, log_dir, notify))
            self._needs = _needs(settings)
        try:
            yield self._pool
        finally:
            if not self.keeps:
                self.close()

    def rest(self) -> None:
        """Keep the pool for the next run if it is good for one, else close it."""
        if self._pool is None or not self._pool.idle(IDLE_S):
            self.close()

    def close(self) -> None:
        """End the pool, if there is one."""
        self._pool = self._needs = None
        self._open.close()

    def _hand_over(self, settings: RunSettings, *of_the_run: object) -> bool:
        """Return whether there is a pool with the workers that the settings ask for."""
        # One that was not idle may still be at work for the last run.
        if self._pool is None or self._needs != _needs(settings) or not self._pool.idle(0.0):
            return False
        try:
            self._pool.reuse(settings, *of_the_run)
        except GdrError as error:
            log.info("The render workers of the last run are of no use: %s", error)
            return False
        return True


def _needs(settings: RunSettings) -> tuple[str, RenderSettings]:
    """Return the scene's digest, and the settings that concern the workers, the others being set to
    their defaults."""
    defaults = RenderSettings()
    unasked = {name: getattr(defaults, name) for name in _ASKED_FOR}
    return settings.scene.resolve().digest, replace(settings.rendering, **unasked)
