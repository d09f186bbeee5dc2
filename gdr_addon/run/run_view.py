# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a run, as plain data. No bpy here.

``window_manager.gdr_run`` is a copy of it that Blender can draw. This one outlives undo and the
opening of another file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import msgspec

from ...gdr_core import sentences
from ...gdr_core.families import Distribution
from ...gdr_core.messages import (
    Conclusion,
    Finished,
    Message,
    Notice,
    Progress,
    RunStatus,
    Status,
    Targets,
)
from ...gdr_core.sampler import Sampler
from ...gdr_core.settings import RunSettings


@dataclass
class ParameterView:
    """One optimised parameter: where it started, where it is, and what is true (if known).

    The standard errors are negative while unknown.
    """

    name: str
    start: Distribution
    now: Distribution
    truth: Distribution | None = None
    mean_error: float = -1.0
    std_error: float = -1.0
    undetermined: bool = False


@dataclass
class RunView:
    """A run as the panel shows it; field names are those of ``gdr_run``.

    ``comparison`` says how well renders are told from targets, ``alike`` is whether that may be
    chance, and ``differences`` and ``notices`` have a sentence a line. ``converged`` is None for an
    estimator that cannot tell.
    """

    status: RunStatus = RunStatus.IDLE
    message: str = ""
    notices: str = ""
    note: str = ""
    step: int = 0
    steps: int = 0
    renders: int = 0
    eta: float = -1.0
    converged: bool | None = None
    d_real: float = math.nan
    d_sim: float = math.nan
    folder: str = ""
    target_count: int = 0
    comparison: str = ""
    alike: bool = False
    differences: str = ""
    trade_offs: str = ""
    parameters: list[ParameterView] = field(default_factory=list)
    sampler: Sampler | None = None

    @classmethod
    def starting(cls, settings: RunSettings, folder: str) -> RunView:
        """Return the view of a run that is about to begin."""
        sampler = settings.sampler()
        return cls(
            status=RunStatus.STARTING,
            message="Starting the trainer",
            steps=settings.training.filled().steps,
            folder=folder,
            parameters=[ParameterView(name, start, start) for name, start in sampler.start.items()],
            sampler=sampler,
        )

    @property
    def progress(self) -> float:
        """Share of the steps that are made, 0 to 1."""
        if self.converged:
            return 1.0
        return min(1.0, self.step / self.steps) if self.steps > 0 else 0.0

    def apply(self, event: Message) -> bool:
        """Take in an event; return whether it changed anything that the panel shows."""
        if isinstance(event, Status):
            self.status, self.message = event.status, event.text
        elif isinstance(event, Notice):
            self.notices = "\n".join(filter(None, (self.notices, f"{event.text}.")))
        elif isinstance(event, Targets):
            self.target_count, self.note = event.count, event.text
        elif isinstance(event, Progress):
            self._take_progress(event)
        elif isinstance(event, Conclusion):
            self._take_conclusion(event)
        elif isinstance(event, Finished):
            self.status, self.message, self.eta = event.status, event.text, -1.0
            self.folder = event.folder or self.folder
            for parameter in self.parameters:
                if parameter.name in event.truth:
                    mean, std = event.truth[parameter.name]
                    parameter.truth = msgspec.structs.replace(parameter.start, mean=mean, std=std)
        else:
            return False
        return True

    def _take_progress(self, event: Progress) -> None:
        self.step, self.steps = event.step, event.steps
        self.renders, self.eta = event.renders, event.eta_seconds
        self.d_real, self.d_sim = event.d_real, event.d_sim
        self.converged = event.converged
        for parameter in self.parameters:
            parameter.now = msgspec.structs.replace(
                parameter.now,
                mean=event.mean.get(parameter.name, parameter.now.mean),
                std=event.std.get(parameter.name, parameter.now.std),
            )

    def _take_conclusion(self, event: Conclusion) -> None:
        found = event.indistinguishability
        self.comparison = sentences.comparison(event)
        self.alike = found is not None and found.low <= 0.5
        self.differences = "\n".join(event.differences)
        self.trade_offs = "\n".join(sentences.trade_off(found) for found in event.trade_offs)
        for parameter in self.parameters:
            parameter.mean_error = event.mean_error.get(parameter.name, -1.0)
            parameter.std_error = event.std_error.get(parameter.name, -1.0)
            parameter.undetermined = parameter.name in event.undetermined
