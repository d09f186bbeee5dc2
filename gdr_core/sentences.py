# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's conclusion in words, the same on the command line and in the panel."""

from __future__ import annotations

from collections.abc import Sequence

from .messages import Conclusion


def comparison(conclusion: Conclusion) -> str:
    """Return how well renders are told from targets, or why that is not known; "" for neither."""
    found = conclusion.indistinguishability
    if found is None:
        return conclusion.not_compared
    # Less than a half is luck, and that the result was fitted to these very targets.
    perfect = "50 %" if found.accuracy >= 0.5 else "50 % or less"
    return (
        f"A classifier tells renders from targets {100 * found.accuracy:.0f} % of the time "
        f"({100 * found.low:.0f} to {100 * found.high:.0f} %; {perfect} is perfect)."
    )


def undetermined(names: Sequence[str]) -> str:
    """Return which parameters the pictures say nothing about, "" for none."""
    if not names:
        return ""
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    several = len(names) > 1
    return (
        f"The pictures do not determine {listed}: "
        f"any value{'s give' if several else ' gives'} the same."
    )
