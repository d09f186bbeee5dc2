# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's conclusion in words, the same on the command line and in the panel."""

from __future__ import annotations

from collections.abc import Sequence

from .messages import Conclusion, TradeOff


def comparison(conclusion: Conclusion) -> str:
    """Return how well renders are told from targets, or why that is not known; "" for neither."""
    test = conclusion.indistinguishability
    if test is None:
        return conclusion.not_compared
    # Less than a half is luck, and that the result was fitted to these very targets.
    perfect = "50 %" if test.accuracy >= 0.5 else "50 % or less"
    return (
        f"A classifier tells renders from targets {100 * test.accuracy:.0f} % of the time "
        f"({100 * test.low:.0f} to {100 * test.high:.0f} %; {perfect} is perfect)."
    )


def undetermined(names: Sequence[str]) -> str:
    """Return which parameters the pictures say nothing about, "" for none."""
    if not names:
        return ""
    listed = _listed(names)
    several = len(names) > 1
    return (
        f"The pictures do not determine {listed}: "
        f"any value{'s give' if several else ' gives'} the same."
    )


def trade_off(group: TradeOff) -> str:
    """Return which parameters can be exchanged for each other, and at what cost."""
    up = [name for name, way in group.direction.items() if way >= 0]
    down = [name for name, way in group.direction.items() if way < 0]
    how = f"{_listed(up)} raised and {_listed(down)} lowered" if down else "raised together"
    return (
        f"The pictures hardly tell {_listed(list(group.direction))} apart: {how}, they change a "
        f"picture by {100 * group.change:.0f} % of what targets differ by."
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
