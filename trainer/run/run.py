# SPDX-License-Identifier: GPL-3.0-or-later
"""One run, from settings to a run folder: the same for the panel and the command line.

Everything that a person can mend is checked first; then the render workers start, and while they
do, torch is imported. That is why nothing that this module imports may import torch.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, closing
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from gdr_core import shared_names
from gdr_core.errors import GdrError
from gdr_core.messages import Conclusion, Finished, Message, Notice, RunStatus, Status
from gdr_core.settings import PACES, RunSettings

from ..data import targets
from ..data.targets import TargetSet
from ..rendering.open import open_pool
from ..rendering.pool import RenderPool
from . import identity, lean_torch
from .controls import Controls, StopCheck, Stopped
from .folder import RunFolder
from .outcome import NOT_COMPARED, Outcome

if TYPE_CHECKING:
    from .optimization import Optimization

log = logging.getLogger(__name__)

OpenPool = Callable[..., AbstractContextManager[RenderPool]]
"""What is called like :func:`.open_pool`."""
_IMPORT_POLL_S = 0.05


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
    open_pool
        Where the renders come from.
    """

    def __init__(
        self,
        settings: RunSettings,
        folder: Path,
        observe: Callable[[Message], None],
        controls: Controls,
        resume: bool = False,
        open_pool: OpenPool = open_pool,
    ):
        self.settings = settings.filled()
        self.path = Path(folder)
        self.observe = observe
        self.controls = controls
        self.resume = resume
        self._open_pool = open_pool
        self._check = StopCheck(controls)
        self._began = time.perf_counter()
        self._work: Optimization | None = None

    def execute(self) -> Outcome:
        """Run to the end, a stop or a failure; everything that was reached is on disk.

        Raises
        ------
        GdrError
            What a person can mend, settings included, or what nobody foresaw, with its traceback
            in ``trainer.log``. ``Finished`` was observed before.
        ModuleNotFoundError
            This Python has no torch.
        """
        if importlib.util.find_spec("torch") is None:
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        lean_torch.share_processors()
        outcome = None
        try:
            self.settings.check()
            if _torch_must_judge(self.settings):
                _check_with_torch(self.settings)
            self._folder = RunFolder(self.path, self.resume)
            with closing(self._folder):
                try:
                    outcome = self._execute()
                except GdrError as error:
                    log.error("%s", error)
                    self._finish(self._ended("failed"))
                    raise
                except Exception:
                    log.exception("The run failed unexpectedly")
                    self._finish(self._ended("failed"))
                    raise
        except GdrError as error:
            self._report_finished(RunStatus.FAILED, str(error))
            raise
        except Exception as error:
            text = (
                f"The trainer failed unexpectedly ({type(error).__name__}: {error}); "
                f"{self.path / shared_names.TRAINER_LOG} has the details."
            )
            self._report_finished(RunStatus.FAILED, text)
            raise GdrError(text) from error
        status = RunStatus.DONE if outcome.status == "done" else RunStatus.IDLE
        self._report_finished(status, outcome.text)
        return outcome

    def _execute(self) -> Outcome:
        log.info("Run in %s, estimator %s", self.path, self.settings.training.estimator)
        if self.resume and self._folder.begun:
            identity.check(self._folder.checkpoint, self.settings)
        self._folder.begin(self.settings)
        try:
            target_set = self._read_folder()
            self._report(RunStatus.STARTING, "Starting Blender to render")
            log_dir = self.path / "workers"
            with self._open_pool(self.settings, self._check, log_dir, self._report_notice) as pool:
                self._work = self._prepare(pool)
                outcome = self._work.execute(target_set)
        except Stopped:
            self._report(RunStatus.STOPPING, "Saving what was reached")
            outcome = self._ended("stopped", "Stopped")
        self._finish(outcome)
        return outcome

    def _prepare(self, pool: RenderPool) -> Optimization:
        return _import_optimization(self._check).Optimization(
            self.settings,
            self._folder,
            pool,
            self.observe,
            self.controls,
            self._check,
            self.resume,
            self._began,
        )

    def _read_folder(self) -> TargetSet | None:
        chosen, size = self.settings.targets, self.settings.training.size
        if not chosen.folder:
            return None
        self._report(RunStatus.STARTING, "Reading the target images")
        return targets.from_folder(chosen.folder, size, chosen.background, self._check)

    def _ended(self, status: str, word: str = "") -> Outcome:
        """Return the outcome of a run that did not come to its end."""
        if self._work is not None:
            return self._work.ended(status, word)
        text = f"{word} after 0 steps and 0 renders" if word else ""
        return Outcome(status, text, {}, Conclusion(not_compared=NOT_COMPARED[status]))

    def _finish(self, outcome: Outcome) -> None:
        if self._work is not None:
            self._work.finish(outcome)
        if outcome.text:
            log.info("%s", outcome.text)

    def _report(self, status: RunStatus, text: str) -> None:
        log.info("%s", text)
        self.observe(Status(status=status, text=text))

    def _report_notice(self, text: str) -> None:
        log.info("%s", text)
        self.observe(Notice(text=text))

    def _report_finished(self, status: RunStatus, text: str) -> None:
        truth = {
            name: (known.distribution.mean, known.distribution.std)
            for name, known in (self._work.truth if self._work else {}).items()
        }
        self.observe(Finished(status=status, text=text, folder=str(self.path), truth=truth))


def _import_optimization(check: Callable[[], None]) -> ModuleType:
    """Import torch, while Blender starts; ``check`` is called meanwhile and may raise to leave."""
    module: Future[ModuleType] = Future()

    def load() -> None:
        try:
            from . import optimization
        except BaseException as error:
            module.set_exception(error)
        else:
            module.set_result(optimization)

    # No daemon: a library that is just being loaded is no good end of a process.
    threading.Thread(target=load, name="import-torch").start()
    while not module.done():
        check()
        wait([module], _IMPORT_POLL_S)
    return module.result()


def _torch_must_judge(settings: RunSettings) -> bool:
    """Whether only torch, or what imports it, can say if the settings will do."""
    training = settings.training
    known = training.estimator in PACES and not training.options
    return not known or training.device not in ("auto", "cpu")


def _check_with_torch(settings: RunSettings) -> None:
    from .. import estimators
    from . import device

    estimators.check(settings.training)
    device.choose(settings.training.device)
