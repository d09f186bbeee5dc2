# SPDX-License-Identifier: GPL-3.0-or-later
"""How many samples a pixel each renderer takes."""

from __future__ import annotations

from typing import NamedTuple

from .errors import BadSettings


class Samples(NamedTuple):
    """What a renderer does where nobody says, and what it can do."""

    default: int
    offered: tuple[int, ...] | range


_ANTI_ALIASING = (1, 5, 8, 11, 16, 32)
"""What Blender offers for Solid mode; 1 is off."""

SAMPLES = {
    "fast": Samples(1, (1, 4, 9, 16)),
    "solid": Samples(1, _ANTI_ALIASING),
    "workbench": Samples(8, _ANTI_ALIASING),
    "eevee": Samples(16, range(1, 4097)),
    "cycles": Samples(32, range(1, 65537)),
}
"""By renderer. For ``cycles`` samples are paths, and more of them less noise too; for the others
they smooth edges."""


def settled_samples(renderer: str, samples: int | None) -> int:
    """Return ``samples``, or the renderer's own number for None.

    Raises
    ------
    BadSettings
        The renderer does not offer that number.
    """
    default, offered = SAMPLES[renderer]
    if samples is None:
        return default
    if samples in offered:
        return samples
    if isinstance(offered, range):
        choice = f"give {offered[0]} to {offered[-1]}"
    else:
        choice = f"choose {', '.join(map(str, offered[:-1]))} or {offered[-1]}"
    raise BadSettings(f"{samples} samples are not offered by {renderer}; {choice}.")
