# SPDX-License-Identifier: GPL-3.0-or-later
"""A list of callbacks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any


class Signal:
    """Calls everybody who has asked for it, in the order in which they asked."""

    def __init__(self) -> None:
        self.slots: list[partial] = []

    def add(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> partial:
        """Register a callback with arguments of its own; the result is the handle to remove it."""
        handle = partial(fn, *args, **kwargs)
        self.slots.append(handle)
        return handle

    def remove(self, handle: partial) -> None:
        """Remove the callback that :meth:`add` returned `handle` for."""
        self.slots.remove(handle)

    def invoke(self, *args: Any, **kwargs: Any) -> None:
        """Call all callbacks; their own arguments of :meth:`add` come first."""
        for slot in list(self.slots):
            slot(*args, **kwargs)
