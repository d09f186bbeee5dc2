# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run ended."""

from __future__ import annotations

from dataclasses import dataclass

from gdr_core.families import Distribution
from gdr_core.messages import Conclusion

NOT_COMPARED = {
    "done": "The comparison of the result with the targets was stopped.",
    "stopped": "The run was stopped, so its result was not compared with the targets.",
    "failed": "The run failed, so its result was not compared with the targets.",
}


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``done``, ``stopped`` or ``failed``, what it reached, and how good it is."""

    status: str
    text: str
    parameters: dict[str, Distribution]
    conclusion: Conclusion
