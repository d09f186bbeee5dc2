# SPDX-License-Identifier: GPL-3.0-or-later
"""The trainer that stays between two runs, so that the second one starts at once.

It leaves by itself when nobody has asked for a run for as long as the preferences say. A timer
looks after it here: it clears away a trainer that has left, and lets one go when the preferences
that it was started by are changed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import bpy

from .. import registration
from ..settings import preferences
from .trainer_link import Launch, TrainerLink

INTERVAL_S = 2.0
_GRACE_S = 20.0
"""How much longer than agreed a trainer may stay before it is let go."""


@dataclass(frozen=True)
class _Kept:
    link: TrainerLink
    until: float
    choice: tuple[str | int, ...]


_kept: _Kept | None = None


def keep(link: TrainerLink, seconds: float) -> None:
    """Look after a trainer that stays for so long."""
    global _kept
    let_go()
    choice = preferences.trainer_choice(bpy.context)
    _kept = _Kept(link, time.monotonic() + seconds + _GRACE_S, choice)
    bpy.app.timers.register(_tick, first_interval=INTERVAL_S, persistent=True)


def take(launch: Launch) -> TrainerLink | None:
    """Return the trainer if it can make this run; one that cannot is let go."""
    global _kept
    if _kept is None or not _kept.link.fits(launch):
        let_go()
        return None
    link, _kept = _kept.link, None
    return link


def let_go() -> None:
    """Have the trainer leave, without waiting."""
    global _kept
    registration.remove_timer(_tick)
    if _kept is not None:
        link, _kept = _kept.link, None
        link.let_go()


def kill() -> None:
    """End the trainer now; waits for at most two seconds."""
    global _kept
    registration.remove_timer(_tick)
    if _kept is not None:
        link, _kept = _kept.link, None
        link.kill()


def _tick() -> float | None:
    if _kept is None:
        return None
    late = time.monotonic() > _kept.until
    if late or not _kept.link.well or _kept.choice != preferences.trainer_choice(bpy.context):
        let_go()
        return None
    return INTERVAL_S
