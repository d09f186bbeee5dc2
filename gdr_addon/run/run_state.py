# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a run, as plain data that panels draw and scripts read. No bpy here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import msgspec

from ...gdr_core import sentences
from ...gdr_core.families import Distribution
from ...gdr_core.messages import (
    ACTIVE,
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
class ParameterState:
    """One optimised parameter.

    Attributes
    ----------
    start, now
        Its distribution at the start of the run, and after the newest step.
    truth
        Of hidden targets, once the run is over; else None.
    mean_error, std_error
        Standard errors of the result in internal units; None while unknown.
    undetermined
        Whether the pictures say nothing about it.
    """

    start: Distribution
    now: Distribution
    truth: Distribution | None = None
    mean_error: float | None = None
    std_error: float | None = None
    undetermined: bool = False


@dataclass
class RunState:
    """The state of a run.

    Attributes
    ----------
    status, message
        What the run does, and what it says of that.
    notices
        Sentences that hold to the end of the run.
    step, steps, renders
        Steps made and planned, and renders made.
    eta
        Estimated seconds to the end; negative while unknown.
    converged
        Whether the estimator sees no reason to go on; None for one that cannot tell.
    d_real, d_sim
        Mean output of the discriminator for targets and renders, NaN without one.
    folder
        The run folder.
    target_count, target_note
        How many targets there are, and what a person should know about them.
    comparison
        How well a classifier tells renders from targets, a sentence.
    indistinguishable
        Whether it may have been right by chance.
    differences, trade_offs
        Sentences on what the renders do not match, and on parameters that can be exchanged.
    parameters
        The optimised ones by name.
    sampler
        Of the run's scene; None before the first run.
    """

    status: RunStatus = RunStatus.IDLE
    message: str = ""
    notices: list[str] = field(default_factory=list)
    step: int = 0
    steps: int = 0
    renders: int = 0
    eta: float = -1.0
    converged: bool | None = None
    d_real: float = math.nan
    d_sim: float = math.nan
    folder: str = ""
    target_count: int = 0
    target_note: str = ""
    comparison: str = ""
    indistinguishable: bool = False
    differences: list[str] = field(default_factory=list)
    trade_offs: list[str] = field(default_factory=list)
    parameters: dict[str, ParameterState] = field(default_factory=dict)
    sampler: Sampler | None = None

    @classmethod
    def starting(cls, settings: RunSettings, folder: str) -> RunState:
        """Return the state of a run that is about to begin."""
        sampler = settings.sampler()
        return cls(
            status=RunStatus.STARTING,
            message="Starting the trainer",
            steps=settings.training.filled().steps,
            folder=folder,
            parameters={
                name: ParameterState(start, start) for name, start in sampler.start.items()
            },
            sampler=sampler,
        )

    @property
    def active(self) -> bool:
        """Whether a trainer is at work."""
        return self.status in ACTIVE

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
            self.notices.append(f"{event.text}.")
        elif isinstance(event, Targets):
            self.target_count, self.target_note = event.count, event.text
        elif isinstance(event, Progress):
            self._take_progress(event)
        elif isinstance(event, Conclusion):
            self._take_conclusion(event)
        elif isinstance(event, Finished):
            self.status, self.message, self.eta = event.status, event.text, -1.0
            self.folder = event.folder or self.folder
            for name, parameter in self.parameters.items():
                if name in event.truth:
                    mean, std = event.truth[name]
                    parameter.truth = msgspec.structs.replace(parameter.start, mean=mean, std=std)
        else:
            return False
        return True

    def _take_progress(self, event: Progress) -> None:
        self.step, self.steps = event.step, event.steps
        self.renders, self.eta = event.renders, event.eta_seconds
        self.d_real, self.d_sim = event.d_real, event.d_sim
        self.converged = event.converged
        for name, parameter in self.parameters.items():
            parameter.now = msgspec.structs.replace(
                parameter.now,
                mean=event.mean.get(name, parameter.now.mean),
                std=event.std.get(name, parameter.now.std),
            )

    def _take_conclusion(self, event: Conclusion) -> None:
        test = event.indistinguishability
        self.comparison = sentences.comparison(event)
        self.indistinguishable = test is not None and test.low <= 0.5
        self.differences = list(event.differences)
        self.trade_offs = [sentences.trade_off(trade_off) for trade_off in event.trade_offs]
        for name, parameter in self.parameters.items():
            parameter.mean_error = event.mean_error.get(name)
            parameter.std_error = event.std_error.get(name)
            parameter.undetermined = name in event.undetermined
