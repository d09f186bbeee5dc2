# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person should know of the workers, each kind of it once a run."""

from __future__ import annotations

import logging
from collections.abc import Callable

log = logging.getLogger(__name__)

Notify = Callable[[str], None]
"""Shows a person a sentence without its full stop."""


class Notices:
    """Notifies a person once of each kind of thing; all of it is in the log.

    Parameters
    ----------
    notify
        Called with what a person should know.
    """

    def __init__(self, notify: Notify):
        self.begin(notify)

    def begin(self, notify: Notify) -> None:
        """Begin anew, for another run."""
        self._notify = notify
        self._kinds: set[str] = set()

    def once(self, kind: str, text: str) -> None:
        """Notify a person unless one of this kind was seen."""
        log.info("%s", text)
        if kind not in self._kinds:
            self._kinds.add(kind)
            self._notify(text)
