# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a run that needs torch: targets to render, steps, and what the result is worth.

:mod:`trainer.run.run` imports this while the render workers start; both take about as long.
"""

from __future__ import annotations

import hashlib
import logging
import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from msgspec.structs import replace

from gdr_core import shared_names
from gdr_core.errors import GdrError
from gdr_core.families import Distribution
from gdr_core.messages import (
    Conclusion,
    Message,
    Notice,
    Progress,
    RunStatus,
    Samples,
    Status,
    Targets,
)
from gdr_core.settings import RunSettings

from .. import estimators
from ..data import images, targets
from ..data.targets import TargetSet, Truth
from ..estimators import Estimator, StepReport
from ..estimators.probability_model import ProbabilityModel
from ..evaluation import conclusion
from ..rendering.pool import RenderPool
from . import checkpoint, device, identity, lean_torch
from .controls import Controls, StopCheck, Stopped
from .folder import SHEET_EVERY, RunFolder
from .history import History, Row
from .outcome import NOT_COMPARED, Outcome

log = logging.getLogger(__name__)

PREVIEW_SAMPLES = 64
"""Samples of the model that the observer is shown after each step."""
PAUSE_POLL_S = 0.05
STOP_BUDGET_S = 2.0
"""A stopped run is compared with the targets only where that takes no longer."""

lean_torch.leave_compiler_out()


@dataclass
class _Totals:
    step: int = 0
    renders: int = 0
    converged: bool | None = None
    seconds: dict[str, float] = field(
        default_factory=lambda: {"total": 0.0, "render": 0.0, "train": 0.0}
    )


class Optimization:
    """Steps from the start to the end of a run, written into its folder.

    Parameters
    ----------
    settings
        Checked.
    folder
        Of the run; open.
    pool
        Where renders come from.
    observe
        Called with each message a person may want to see.
    controls
        Orders of the person.
    check
        Called wherever it may be left; raises :class:`.Stopped`.
    resume
        Go on from the folder's checkpoint.
    began
        When the run was asked for, by :func:`time.perf_counter`.

    Attributes
    ----------
    truth
        By parameter name, for hidden targets that are known.
    """

    def __init__(
        self,
        settings: RunSettings,
        folder: RunFolder,
        pool: RenderPool,
        observe: Callable[[Message], None],
        controls: Controls,
        check: StopCheck,
        resume: bool,
        began: float,
    ):
        torch.backends.cudnn.deterministic = True  # The same seed gives the same history.
        self.settings = settings
        self.observe = observe
        self.controls = controls
        self.truth: dict[str, Truth] = {}
        self._sampler = settings.sampler()
        self._pool = pool
        self._folder = folder
        self._check = check
        self._device = device.choose(settings.training.device)
        self._goes_on = resume and folder.begun
        self._began = began
        self._start_seconds: float | None = None
        self._totals = _Totals()
        self._reached: dict[str, Distribution] = {}
        self._estimator: Estimator | None = None
        self._history: History | None = None
        self._step_seconds: deque[float] = deque(maxlen=20)
        self._preview = torch.Generator().manual_seed(0)
        self._unsaved_targets = False

    def execute(self, target_set: TargetSet | None) -> Outcome:
        """Make all steps and see what the result is worth; :meth:`finish` is still to be called.

        Parameters
        ----------
        target_set
            The targets; None to render the hidden ones.
        """
        seeds = _spawn_seeds(self.settings.seed)
        if target_set is None:
            target_set = self._render_hidden(seeds.targets)
        self._prepare(target_set, seeds.estimator)
        status, text = self._optimize()
        reached = self._conclude(target_set.images, status, seeds.conclusion)
        return Outcome(status, text, self._reached, reached)

    def finish(self, outcome: Outcome) -> None:
        """Write what was reached; a run that ended before its first step has no result."""
        if not self._history:
            return
        self._save_result(outcome.status, outcome.conclusion)
        self._history.close()
        try:
            self._folder.save_plot(self._history, self.truth)
        except Exception:  # The run is no worse for a picture that cannot be drawn.
            log.exception("plots/parameters.png could not be written")
        if outcome.status != "failed":
            self.observe(outcome.conclusion)

    def summary(self, word: str) -> str:
        """Return how far it came: "Stopped after 3 steps and 60 renders"."""
        totals = self._totals
        return f"{word} after {totals.step} steps and {totals.renders} renders"

    def ended(self, status: str, word: str = "") -> Outcome:
        """Return the outcome of a run that ended on its way; ``word`` begins its sentence."""
        reached = Conclusion(not_compared=NOT_COMPARED[status])
        return Outcome(status, self.summary(word) if word else "", self._reached, reached)

    def _render_hidden(self, seed: int) -> TargetSet:
        """Return the hidden targets; those of a resumed run are not rendered again."""
        generator = torch.Generator().manual_seed(seed)
        saved = self._folder.load_targets() if self._goes_on else None
        if saved is not None:
            return targets.from_hidden(self.settings, lambda _: saved, generator)
        count = self.settings.targets.count
        self._report(RunStatus.STARTING, f"Rendering {count} hidden targets")
        self._unsaved_targets = True
        return targets.from_hidden(self.settings, self._render, generator)

    def _prepare(self, target_set: TargetSet, seed: int) -> None:
        """Get the estimator ready, as new or as the checkpoint left it."""
        self.truth = target_set.truth
        self._digest = hashlib.sha256(target_set.images.tobytes()).hexdigest()
        for note in target_set.notes:
            log.warning("%s", note)
        self._estimator = estimators.make(
            self.settings.training,
            ProbabilityModel(self._sampler.start),
            target_set.images,
            self._device,
            torch.Generator().manual_seed(seed),
        )
        self._estimator.check = self._check
        if self._goes_on:
            self._load_checkpoint()
        if self._unsaved_targets:
            self._folder.save_targets(target_set.images)
        self._folder.save_sheet(shared_names.TARGET_SHEET, target_set.images)
        sheet = images.contact_sheet(target_set.images)
        self.observe(
            Targets(sheet=sheet, count=len(target_set.images), text=" ".join(target_set.notes))
        )
        keep = self._totals.step if self._goes_on else None
        self._history = History(self._folder.history, self._estimator.model.names, keep)
        self._reached = self._estimator.model.current()
        if not self._history.rows:
            self._record(StepReport(converged=False if self._estimator.ends_itself else None))
            self._save_checkpoint()

    def _optimize(self) -> tuple[str, str]:
        """Make the steps; return how they ended, ``done`` or ``stopped``, and a sentence."""
        self._report(RunStatus.RUNNING, f"Optimizing on {device.describe(self._device)}")
        totals = self._totals
        try:
            while totals.step < self._planned_steps() and not totals.converged:
                self._wait_while_paused()
                self._step()
        except Stopped:
            self._report(RunStatus.STOPPING, "Saving what was reached")
            return "stopped", self.summary("Stopped")
        return "done", self._verdict()

    def _step(self) -> None:
        began = time.perf_counter()
        estimator, number = self._estimator, self._totals.renders
        x = estimator.propose()
        rows = self._sampler.rows(x.numpy(), number, mismatch=estimator.mismatched)
        if not np.isfinite(rows).all():
            raise GdrError(
                "The distribution reached numbers that are too large to render; start nearer to "
                "the targets, with a smaller spread, or bound the parameters."
            )
        renders = self._render(rows)
        rendered = time.perf_counter()
        step = self._totals.step + 1
        if step == 1:
            self._folder.save_sheet("sim_samples_000", renders)
        report = estimator.update(x, renders)
        model = estimator.model
        if not (model.mean.isfinite().all() and model.std.isfinite().all()):
            raise GdrError(
                f"The optimization diverged in step {step}: a mean or a spread is no finite "
                f"number. Make the estimator's learning rates smaller."
            )
        ended = time.perf_counter()
        totals = self._totals
        totals.step = step
        totals.renders += len(x)
        totals.converged = report.converged
        totals.seconds["render"] += rendered - began
        totals.seconds["train"] += ended - rendered
        totals.seconds["total"] += ended - began
        self._step_seconds.append(ended - began)
        if step % SHEET_EVERY == 0:
            self._folder.save_sheet(f"sim_samples_{step:03d}", renders)
        # In this order: a run that is killed between the two makes its last step again.
        self._record(report)
        self._save_checkpoint()
        # Not what was rendered: an estimator may try what it does not believe in.
        believed = model.sample(PREVIEW_SAMPLES, self._preview).numpy()
        rows = self._sampler.rows(believed, PREVIEW_SAMPLES * step, "preview")
        self.observe(Samples(step=step, rows=rows))
        if report.note:
            log.info("%s", report.note)
            self.observe(Notice(text=report.note))

    def _render(self, rows: np.ndarray) -> np.ndarray:
        renders = self._pool.render(rows)
        if self._start_seconds is None:
            self._start_seconds = time.perf_counter() - self._began
        return renders

    def _planned_steps(self) -> int:
        """Return after how many steps the run is done; a step may make less than a whole batch."""
        training, totals = self.settings.training, self._totals
        if not training.max_renders:
            return training.steps
        left = (training.max_renders - totals.renders) // training.batch
        return min(training.steps, totals.step + left)

    def _wait_while_paused(self) -> None:
        self.controls.check()
        if not self.controls.paused:
            return
        self._report(RunStatus.PAUSED, "Paused")
        while self.controls.paused:
            time.sleep(PAUSE_POLL_S)
            self.controls.check()
        self._report(RunStatus.RUNNING, "Optimizing")

    def _record(self, report: StepReport) -> None:
        """Put the step into the history and report it to the observer."""
        totals, model = self._totals, self._estimator.model
        mean, std = tuple(model.mean.tolist()), tuple(model.std.tolist())
        self._reached = model.current()
        row = Row(
            totals.step,
            totals.renders,
            totals.seconds["total"],
            report.d_real,
            report.d_sim,
            mean,
            std,
        )
        self._history.append(row)
        self._folder.save_events(row, model.names)
        left = self._planned_steps() - totals.step
        pace = statistics.median(self._step_seconds) if self._step_seconds else -1.0
        self.observe(
            Progress(
                step=totals.step,
                steps=self._planned_steps(),
                renders=totals.renders,
                seconds=totals.seconds["total"],
                eta_seconds=pace * left if self._step_seconds else -1.0,
                d_real=report.d_real,
                d_sim=report.d_sim,
                mean=dict(zip(model.names, mean, strict=True)),
                std=dict(zip(model.names, std, strict=True)),
                converged=report.converged,
            )
        )

    def _conclude(self, target_images: np.ndarray, status: str, seed: int) -> Conclusion:
        """Find out how good the result is; whatever goes wrong with that does not fail the run."""
        known = Conclusion()
        try:
            known = conclusion.of_estimator(self._estimator)
            # Who loses patience below has a result already.
            self._save_result(status, replace(known, not_compared=NOT_COMPARED[status]))
            if status == "stopped" and not self._is_quick(target_images):
                return replace(known, not_compared=NOT_COMPARED[status])
            if status == "done":
                self._report(RunStatus.RUNNING, "Comparing the result with the targets")
            else:
                self._check.grant(STOP_BUDGET_S)
            generator = torch.Generator().manual_seed(seed)
            model = self._estimator.model

            def render(x: np.ndarray) -> np.ndarray | None:
                rows = self._sampler.rows(x, 0, "conclusion")
                if not np.isfinite(rows).all():
                    return None
                renders = self._render(rows)
                self._folder.save_sheet("result", renders)
                return renders

            return conclusion.compared(known, target_images, model, render, generator)
        except Stopped:
            return replace(known, not_compared=NOT_COMPARED[status])
        except Exception as error:
            log.exception("The result could not be compared with the targets")
            return replace(
                known, not_compared=f"The result could not be compared with the targets: {error}"
            )

    def _is_quick(self, target_images: np.ndarray) -> bool:
        """Whether comparing the result takes less than a person waits who pressed Stop."""
        totals = self._totals
        if not totals.renders:
            return False
        pace = totals.seconds["render"] / totals.renders
        return conclusion.expected_seconds(target_images, pace) < STOP_BUDGET_S

    def _verdict(self) -> str:
        """Return how a run ended that was not stopped."""
        converged, training = self._totals.converged, self.settings.training
        if converged is None:
            return self.summary("Done")
        if converged:
            return f"{self.summary('Done')}: converged"
        limit = "steps" if self._totals.step >= training.steps else "renders"
        return f"{self.summary('Not converged')}; give it more {limit}"

    def _save_checkpoint(self) -> None:
        totals = self._totals
        checkpoint.save(
            self._folder.checkpoint,
            {
                "step": totals.step,
                "renders": totals.renders,
                "converged": totals.converged,
                "seconds": totals.seconds,
                "targets": self._digest,
                "estimator": self._estimator.state_dict(),
            },
            identity.of(self.settings),
        )

    def _load_checkpoint(self) -> None:
        state = checkpoint.load(self._folder.checkpoint)
        if state["targets"] != self._digest:
            raise GdrError(
                f"The targets of the run in {self._folder.path} have changed since it began; put "
                f"the same images back, or start a new run."
            )
        try:
            self._estimator.load_state_dict(state["estimator"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise GdrError(
                f"The checkpoint in {self._folder.path} does not fit its config.toml, which was "
                f"changed since; change it back, or start a new run."
            ) from error
        self._totals = _Totals(
            state["step"], state["renders"], state.get("converged"), dict(state["seconds"])
        )
        log.info("Going on after step %d", self._totals.step)

    def _save_result(self, status: str, reached: Conclusion) -> None:
        totals, model = self._totals, self._estimator.model
        self._folder.save_result(
            status=status,
            settings=self.settings,
            steps=totals.step,
            renders=totals.renders,
            converged=totals.converged,
            seconds={"start": self._start_seconds, **totals.seconds},
            parameters=self._reached,
            correlation=model.correlation.tolist(),
            truth=self.truth,
            conclusion=reached,
        )

    def _report(self, status: RunStatus, text: str) -> None:
        log.info("%s", text)
        self.observe(Status(status=status, text=text))


@dataclass(frozen=True)
class _Seeds:
    """Independent seeds for the hidden targets, the estimator and the final comparison."""

    targets: int
    estimator: int
    conclusion: int


def _spawn_seeds(seed: int) -> _Seeds:
    spawned = np.random.SeedSequence(seed).spawn(3)
    return _Seeds(*(int(s.generate_state(1, np.uint64)[0] >> np.uint64(1)) for s in spawned))
