# SPDX-License-Identifier: GPL-3.0-or-later
"""One run, from settings to a run folder: the same for the panel and the command line."""

from __future__ import annotations

import hashlib
import logging
import math
import statistics
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from msgspec.structs import replace

from gdr_core.errors import GdrError
from gdr_core.families import Distribution
from gdr_core.messages import (
    Conclusion,
    Finished,
    Message,
    Notice,
    Progress,
    RunStatus,
    Samples,
    Status,
    Targets,
)
from gdr_core.settings import RunSettings

from . import checkpoint, conclusion, device, estimators, images, targets
from .controls import Controls, Stopped
from .estimators import Estimator, StepReport
from .history import History, Row
from .light_seeds import light_seeds
from .probability_model import ProbabilityModel
from .render_pool import RenderPool, open_pool
from .run_folder import SHEET_EVERY, RunFolder
from .targets import TargetSet, Truth

log = logging.getLogger(__name__)

NOT_COMPARED = {
    "done": "The comparison of the result with the targets was stopped.",
    "stopped": "The run was stopped, so its result was not compared with the targets.",
    "failed": "The run failed, so its result was not compared with the targets.",
}
PREVIEW_SAMPLES = 64
"""Samples of the model that the observer is shown after each step."""
PAUSE_POLL_S = 0.05
STOP_BUDGET_S = 2.0
"""A stopped run is compared with the targets only where that takes no longer."""


@dataclass
class _Totals:
    step: int = 0
    renders: int = 0
    converged: bool | None = None
    seconds: dict[str, float] = field(
        default_factory=lambda: {"total": 0.0, "render": 0.0, "train": 0.0}
    )


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``done``, ``stopped`` or ``failed``, what it reached, and how good it is."""

    status: str
    text: str
    parameters: dict[str, Distribution]
    conclusion: Conclusion


class Run:
    """A run in progress.

    Parameters
    ----------
    settings
        Checked by :meth:`execute`.
    folder
        The run folder.
    observe
        Called with each message a person may want to see, in the run's thread.
    controls
        Orders of the person.
    resume
        Go on from the folder's checkpoint.
    """

    def __init__(
        self,
        settings: RunSettings,
        folder: Path,
        observe: Callable[[Message], None],
        controls: Controls,
        resume: bool = False,
    ):
        self.settings = settings.filled()
        self.path = Path(folder)
        self.observe = observe
        self.controls = controls
        self.resume = resume
        self._totals = _Totals()
        self._truth: dict[str, Truth] = {}
        self._reached: dict[str, Distribution] = {}
        self._estimator: Estimator | None = None
        self._history: History | None = None
        self._step_seconds: deque[float] = deque(maxlen=20)
        self._preview = torch.Generator().manual_seed(0)
        self._leave_at = math.inf

    def execute(self) -> Outcome:
        """Run to the end, a stop or a failure; everything that was reached is on disk.

        Raises
        ------
        GdrError
            What a person can mend, settings included, or what nobody foresaw, with its traceback
            in ``trainer.log``. ``Finished`` was observed before.
        """
        outcome = None
        try:
            self.settings.check()
            estimators.check(self.settings.training)
            self._device = device.choose(self.settings.training.device)
            torch.backends.cudnn.deterministic = True  # The same seed gives the same history.
            self._folder = RunFolder(self.path, self.resume)
            with closing(self._folder):
                try:
                    outcome = self._execute()
                except GdrError as error:
                    log.error("%s", error)
                    self._finish("failed")
                    raise
                except Exception:
                    log.exception("The run failed unexpectedly")
                    self._finish("failed")
                    raise
        except GdrError as error:
            self._tell_finished(RunStatus.FAILED, str(error))
            raise
        except Exception as error:
            text = (
                f"The trainer failed unexpectedly ({type(error).__name__}: {error}); "
                f"{self.path / 'trainer.log'} has the details."
            )
            self._tell_finished(RunStatus.FAILED, text)
            raise GdrError(text) from error
        status = RunStatus.DONE if outcome.status == "done" else RunStatus.IDLE
        self._tell_finished(status, outcome.text)
        return outcome

    def _execute(self) -> Outcome:
        log.info("Run in %s, estimator %s", self.path, self.settings.training.estimator)
        self._folder.save_config(self.settings)
        try:
            found = self._read_folder()
            self._tell(RunStatus.STARTING, "Starting Blender to render")
            with open_pool(
                self.settings, self._check, self.path / "workers", self._tell_notice
            ) as pool:
                seeds = _spawn_seeds(self.settings.seed)
                if found is None:
                    found = self._render_hidden(pool, seeds.targets)
                self._prepare(found, seeds.estimator)
                status, text = self._optimize(pool)
                reached = self._conclude(pool, found.images, status, seeds.conclusion)
            return self._finish(status, text, reached)
        except Stopped:
            self._tell(RunStatus.STOPPING, "Saving what was reached")
            return self._finish("stopped", self._summary("Stopped"))

    def _optimize(self, pool: RenderPool) -> tuple[str, str]:
        """Make the steps; return how they ended, ``done`` or ``stopped``, and a sentence."""
        self._tell(RunStatus.RUNNING, f"Optimizing on {device.describe(self._device)}")
        totals = self._totals
        try:
            while totals.step < self._planned_steps() and not totals.converged:
                self._wait_while_paused()
                self._step(pool)
        except Stopped:
            self._tell(RunStatus.STOPPING, "Saving what was reached")
            return "stopped", self._summary("Stopped")
        return "done", self._verdict()

    def _conclude(
        self, pool: RenderPool, target_images: np.ndarray, status: str, seed: int
    ) -> Conclusion:
        """Find out how good the result is; whatever goes wrong with that does not fail the run."""
        found = Conclusion()
        try:
            found = conclusion.of_estimator(self._estimator)
            # Who loses patience below has a result already.
            self._save_result(status, replace(found, not_compared=NOT_COMPARED[status]))
            if status == "stopped" and not self._is_quick(target_images):
                return replace(found, not_compared=NOT_COMPARED[status])
            if status == "done":
                self._tell(RunStatus.RUNNING, "Comparing the result with the targets")
            else:
                self._leave_at = time.monotonic() + STOP_BUDGET_S
            generator = torch.Generator().manual_seed(seed)
            model = self._estimator.model

            def render(parameters: np.ndarray) -> np.ndarray:
                renders = pool.render(parameters)
                self._folder.save_sheet("result", renders)
                return renders

            return conclusion.compared(found, target_images, model, render, generator)
        except Stopped:
            return replace(found, not_compared=NOT_COMPARED[status])
        except Exception as error:
            log.exception("The result could not be compared with the targets")
            return replace(
                found, not_compared=f"The result could not be compared with the targets: {error}"
            )

    def _is_quick(self, target_images: np.ndarray) -> bool:
        """Whether comparing the result takes less than a person waits who pressed Stop."""
        totals = self._totals
        if not totals.renders:
            return False
        pace = totals.seconds["render"] / totals.renders
        return conclusion.expected_seconds(target_images, pace) < STOP_BUDGET_S

    def _check(self) -> None:
        """Raise :class:`Stopped` once the person asked to stop, and the last budget is spent."""
        if math.isinf(self._leave_at):
            self.controls.check()
            return
        self.controls.poll()
        if time.monotonic() > self._leave_at:
            raise Stopped

    def _read_folder(self) -> TargetSet | None:
        chosen, size = self.settings.targets, self.settings.training.size
        if not chosen.folder:
            return None
        self._tell(RunStatus.STARTING, "Reading the target images")
        return targets.from_folder(chosen.folder, size, chosen.background)

    def _render_hidden(self, pool: RenderPool, seed: int) -> TargetSet:
        """Return the hidden targets; those of a resumed run are not rendered again."""
        generator = torch.Generator().manual_seed(seed)
        saved = self._folder.load_targets() if self.resume and self._folder.begun else None
        if saved is not None:
            return targets.from_hidden(self.settings, lambda _: saved, generator)
        count = self.settings.targets.count
        self._tell(RunStatus.STARTING, f"Rendering {count} hidden targets")
        found = targets.from_hidden(self.settings, pool.render, generator)
        self._folder.save_targets(found.images)
        return found

    def _prepare(self, found: TargetSet, seed: int) -> None:
        """Get the estimator ready, as new or as the checkpoint left it."""
        self._truth = found.truth
        self._digest = hashlib.sha256(found.images.tobytes()).hexdigest()
        for note in found.notes:
            log.warning("%s", note)
        self._estimator = estimators.make(
            self.settings.training,
            ProbabilityModel.from_settings(self.settings),
            found.images,
            self._device,
            torch.Generator().manual_seed(seed),
        )
        goes_on = self.resume and self._folder.begun
        if goes_on:
            self._load_checkpoint()
        self._folder.save_sheet("real", found.images)
        sheet = images.contact_sheet(found.images)
        self.observe(Targets(sheet=sheet, count=len(found.images), text=" ".join(found.notes)))
        keep = self._totals.step if goes_on else None
        self._history = History(self._folder.history, self._estimator.model.names, keep)
        self._reached = self._estimator.model.current()
        if not self._history.rows:
            self._record(StepReport(converged=False if self._estimator.ends_itself else None))
            self._save_checkpoint()

    def _step(self, pool: RenderPool) -> None:
        began = time.perf_counter()
        z = self._estimator.propose()
        parameters = self._estimator.model.to_parameters(z)
        if not np.isfinite(parameters).all():
            raise GdrError(
                "The distribution reached numbers that are too large to render; start nearer to "
                "the targets, with a smaller spread, or bound the parameters."
            )
        lights = light_seeds(self._estimator, self._totals.renders, len(z))
        renders = pool.render(parameters, lights)
        rendered = time.perf_counter()
        step = self._totals.step + 1
        if step == 1:
            self._folder.save_sheet("sim_samples_000", renders)
        report = self._estimator.update(z, renders)
        model = self._estimator.model
        if not (model.mean.isfinite().all() and model.std.isfinite().all()):
            raise GdrError(
                f"The optimization diverged in step {step}: a mean or a spread is no finite "
                f"number. Make the estimator's learning rates smaller."
            )
        ended = time.perf_counter()
        totals = self._totals
        totals.step = step
        totals.renders += len(z)
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
        believed = model.to_parameters(model.sample(PREVIEW_SAMPLES, self._preview))
        self.observe(Samples(step=step, parameters=believed))
        if report.note:
            self._tell_notice(report.note)

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
        self._tell(RunStatus.PAUSED, "Paused")
        while self.controls.paused:
            time.sleep(PAUSE_POLL_S)
            self.controls.check()
        self._tell(RunStatus.RUNNING, "Optimizing")

    def _record(self, report: StepReport) -> None:
        """Put the step into the history and tell the observer."""
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

    def _save_checkpoint(self) -> None:
        totals = self._totals
        checkpoint.save(
            self._folder.checkpoint,
            {
                "step": totals.step,
                "renders": totals.renders,
                "converged": totals.converged,
                "seconds": totals.seconds,
                "estimator_name": self.settings.training.estimator,
                "targets": self._digest,
                "estimator": self._estimator.state_dict(),
            },
        )

    def _load_checkpoint(self) -> None:
        state = checkpoint.load(self._folder.checkpoint)
        if state["estimator_name"] != self.settings.training.estimator:
            raise GdrError(
                f"The run in {self.path} used the estimator {state['estimator_name']}; "
                f"it can only go on with that one."
            )
        if state["targets"] != self._digest:
            raise GdrError(
                f"The targets of the run in {self.path} have changed since it began; put the "
                f"same images back, or start a new run."
            )
        try:
            self._estimator.load_state_dict(state["estimator"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise GdrError(
                f"The checkpoint in {self.path} does not fit its config.toml, which was changed "
                f"since; change it back, or start a new run."
            ) from error
        self._totals = _Totals(
            state["step"], state["renders"], state.get("converged"), dict(state["seconds"])
        )
        log.info("Going on after step %d", self._totals.step)

    def _finish(self, status: str, text: str = "", reached: Conclusion | None = None) -> Outcome:
        """Write what the run reached; a run that ended before it began has no result."""
        reached = reached or Conclusion(not_compared=NOT_COMPARED[status])
        if self._history:
            self._save_result(status, reached)
            self._history.close()
            try:
                self._folder.save_plot(self._history, self._truth)
            except Exception:  # The run is no worse for a picture that cannot be drawn.
                log.exception("plots/parameters.png could not be written")
            if status != "failed":
                self.observe(reached)
        if text:
            log.info("%s", text)
        return Outcome(status, text, self._reached, reached)

    def _save_result(self, status: str, reached: Conclusion) -> None:
        totals, model = self._totals, self._estimator.model
        self._folder.save_result(
            status=status,
            settings=self.settings,
            steps=totals.step,
            renders=totals.renders,
            converged=totals.converged,
            seconds=totals.seconds,
            parameters=self._reached,
            correlation=model.correlation.tolist(),
            truth=self._truth,
            conclusion=reached,
        )

    def _summary(self, word: str) -> str:
        totals = self._totals
        return f"{word} after {totals.step} steps and {totals.renders} renders"

    def _verdict(self) -> str:
        """Return how a run ended that was not stopped."""
        converged, training = self._totals.converged, self.settings.training
        if converged is None:
            return self._summary("Done")
        if converged:
            return f"{self._summary('Done')}: converged"
        limit = "steps" if self._totals.step >= training.steps else "renders"
        return f"{self._summary('Not converged')}; give it more {limit}"

    def _tell(self, status: RunStatus, text: str) -> None:
        log.info("%s", text)
        self.observe(Status(status=status, text=text))

    def _tell_notice(self, text: str) -> None:
        log.info("%s", text)
        self.observe(Notice(text=text))

    def _tell_finished(self, status: RunStatus, text: str) -> None:
        truth = {
            name: (known.distribution.mean, known.distribution.std)
            for name, known in self._truth.items()
        }
        self.observe(Finished(status=status, text=text, folder=str(self.path), truth=truth))


@dataclass(frozen=True)
class _Seeds:
    """Independent seeds for the hidden targets, the estimator and the final comparison."""

    targets: int
    estimator: int
    conclusion: int


def _spawn_seeds(seed: int) -> _Seeds:
    spawned = np.random.SeedSequence(seed).spawn(3)
    return _Seeds(*(int(s.generate_state(1, np.uint64)[0] >> np.uint64(1)) for s in spawned))
