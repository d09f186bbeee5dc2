# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences in panels: wrapped to the panel's width, so that nothing is cut off."""

from __future__ import annotations

import math
from collections.abc import Callable

import blf
import bpy

from ..gdr_core.families import Distribution

_FONT = 0
_MARGIN = 70
"""Pixels at scale 1 that borders, the sidebar's tabs and a label's own padding take."""
_ICON = 24


def draw(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE"
) -> None:
    """Draw ``text`` over as many lines as it needs; the icon stands before the first."""
    scale = context.preferences.system.ui_scale
    # points is the person's own size of labels; blf measures in pixels.
    blf.size(_FONT, _points(context) * scale)
    room = context.region.width - _MARGIN * scale - (_ICON * scale if icon != "NONE" else 0)
    lines = wrap(text, max(60.0, room), lambda part: blf.dimensions(_FONT, part)[0])
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(lines):
        first = "BLANK1" if icon != "NONE" else "NONE"
        column.label(text=line, icon=icon if number == 0 else first, translate=False)


def wrap(text: str, room: float, measure: Callable[[str], float]) -> list[str]:
    """Break ``text`` into lines no wider than ``room``; a word wider than that is cut in pieces."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            candidate = f"{line} {word}" if line else word
            if measure(candidate) <= room:
                line = candidate
                continue
            if line:
                lines.append(line)
            while measure(word) > room and len(word) > 1:
                fits = max(
                    1, next(n for n in range(len(word), 0, -1) if _fits(word, n, room, measure))
                )
                lines.append(word[:fits])
                word = word[fits:]
            line = word
        if line:
            lines.append(line)
    return lines


def _fits(word: str, count: int, room: float, measure: Callable[[str], float]) -> bool:
    return count == 1 or measure(word[:count]) <= room


def _points(context: bpy.types.Context) -> float:
    return context.preferences.ui_styles[0].widget.points


def number(value: float) -> str:
    """Return a number in few characters, three digits that count."""
    if not math.isfinite(value):
        return "-"
    if value != 0 and not 0.001 <= abs(value) < 10_000:
        return f"{value:.1e}"
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{digits}f}"


def readable_range(distribution: Distribution) -> str:
    """Return one spread to either side of the middle, in the parameter's own units."""
    low, _, high = distribution.readable()
    return f"{number(low)} to {number(high)}"


def internal(distribution: Distribution) -> str:
    """Return mean and spread in internal units."""
    return f"{distribution.mean:.2f}:{distribution.std:.2f}"


def with_errors(name: str, distribution: Distribution, mean_error: float, std_error: float) -> str:
    """Return mean and spread in internal units with their standard errors."""
    return (
        f"{name} {distribution.mean:.3f}±{mean_error:.3f}, "
        f"spread {distribution.std:.3f}±{std_error:.3f}"
    )


def one_line(text: str) -> str:
    """Return ``text`` without line breaks."""
    return " ".join(text.split())


def duration(seconds: float) -> str:
    """Return seconds as ``45 s``, ``3:05 min`` or ``2:10 h``; "" when unknown."""
    if not math.isfinite(seconds) or seconds < 0:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
