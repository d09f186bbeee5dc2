# SPDX-License-Identifier: GPL-3.0-or-later
"""The run folder: where each file of a run is, and how it is written.

=============================  =====================================================
``config.toml``                everything needed to repeat the run
``history.csv``                one line a step (:mod:`.history`)
``result.json``                the distribution that was reached, and how good it is
``checkpoint.safetensors``     the state after the last step, for ``--resume``
``targets.npy``                hidden targets, for ``--resume``
``images/real.png``            contact sheet of the targets
``images/result.png``          contact sheet of fresh renders of the result
``images/sim_samples_*.png``   contact sheets of what a step rendered, every ten steps
``plots/parameters.png``       means and spreads against steps
``tensorboard/``               the same numbers as TensorBoard events
``trainer.log``                what happened
=============================  =====================================================
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import tomli_w

from gdr_core import settings as settings_module
from gdr_core import shared_names
from gdr_core.errors import BadSettings
from gdr_core.families import Distribution
from gdr_core.messages import Conclusion
from gdr_core.settings import RunSettings

from .. import files
from ..data import images
from ..data.targets import Truth
from ..evaluation import plots
from .history import History, Row

RESULT_SCHEMA = 2
SHEET_EVERY = 10


class RunFolder:
    """Writes one run's files.

    Parameters
    ----------
    path
        The folder; made if it is not there.
    resume
        Whether it holds a run to go on with.

    Attributes
    ----------
    begun
        Whether the run that it holds made its first step. One that ended before (no Blender, no
        targets, stopped at once) left nothing to lose: it starts anew, resumed or not.

    Raises
    ------
    BadSettings
        A new run into a folder that holds one, resuming where there is none, a folder that
        cannot be written, or one that another process is writing.
    """

    def __init__(self, path: Path, resume: bool = False):
        self.path = Path(path)
        if resume and not self.config.is_file():
            raise BadSettings(f"There is no run in {path} to go on with (no config.toml in it).")
        self.begun = self.checkpoint.is_file() or self.history.is_file()
        if not resume and self.begun:
            raise BadSettings(
                f"{path} holds a run already; choose another folder, or go on with --resume {path}."
            )
        if not resume and self.config.is_file() and not self.log.is_file():
            raise BadSettings(
                f"{path} has a config.toml that is no run's; choose another folder for the run."
            )
        busy = f"Another process is at work on the run in {path}; stop it first."
        self._lock = files.lock_folder(self.path, busy)
        try:
            handler = logging.FileHandler(self.log, encoding="utf-8")
        except OSError as error:
            self._lock.release()
            raise files.unwritable(self.path, error) from error
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._handler = handler
        logging.getLogger().addHandler(handler)
        self._events: Any = None

    config = property(lambda self: self.path / "config.toml")
    history = property(lambda self: self.path / "history.csv")
    checkpoint = property(lambda self: self.path / "checkpoint.safetensors")
    log = property(lambda self: self.path / shared_names.TRAINER_LOG)
    result = property(lambda self: self.path / "result.json")
    targets = property(lambda self: self.path / "targets.npy")

    def close(self) -> None:
        """Finish the log and the TensorBoard events, and let another process have the folder."""
        if self._events is not None:
            self._events.close()
        logging.getLogger().removeHandler(self._handler)
        self._handler.close()
        self._lock.release()

    def begin(self, settings: RunSettings) -> None:
        """Write ``config.toml``; a run that goes on may end without another ``result.png``."""
        with suppress(OSError):  # Somebody looks at it.
            (self.path / shared_names.IMAGES / "result.png").unlink(missing_ok=True)
        files.write_text(self.config, tomli_w.dumps(settings_module.to_dict(settings)))

    def save_targets(self, images: np.ndarray) -> None:
        """Write ``targets.npy``: hidden targets, ``(N, S, S, 3)`` uint8, for a resumed run."""
        fresh = self.targets.with_name("targets.new.npy")
        np.save(fresh, images, allow_pickle=False)
        files.replace(fresh, self.targets)

    def load_targets(self) -> np.ndarray | None:
        """Return what :meth:`save_targets` wrote, or None where it is missing or damaged."""
        try:
            return np.load(self.targets, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None

    def save_sheet(self, name: str, batch: np.ndarray) -> None:
        """Write ``images/<name>.png``, a contact sheet of ``(N, S, S, 3)`` uint8 images."""
        path = self.path / shared_names.IMAGES / f"{name}.png"
        images.save_png(path, images.contact_sheet(batch))

    def save_plot(self, history: History, truth: dict[str, Truth]) -> None:
        """Write ``plots/parameters.png``."""
        plots.save_parameters(
            self.path / "plots" / "parameters.png",
            history.names,
            np.array([row.step for row in history.rows]),
            np.array([row.mean for row in history.rows]),
            np.array([row.std for row in history.rows]),
            truth,
        )

    def save_events(self, row: Row, names: tuple[str, ...]) -> None:
        """Add a step to the TensorBoard events."""
        if self._events is None:
            from torch.utils.tensorboard import SummaryWriter

            self._events = SummaryWriter(str(self.path / "tensorboard"))
        scalars = {"discriminator/real": row.d_real, "discriminator/sim": row.d_sim}
        for name, mean, std in zip(names, row.mean, row.std, strict=True):
            scalars[f"mean/{name}"] = mean
            scalars[f"std/{name}"] = std
        for tag, value in scalars.items():
            if np.isfinite(value):
                self._events.add_scalar(tag, value, row.step)

    def save_result(
        self,
        *,
        status: str,
        settings: RunSettings,
        steps: int,
        renders: int,
        converged: bool | None,
        seconds: dict[str, float | None],
        parameters: dict[str, Distribution],
        correlation: list[list[float]],
        truth: dict[str, Truth],
        conclusion: Conclusion,
    ) -> None:
        """Write ``result.json``; means, spreads and their errors are in internal units.

        ``converged`` is null for an estimator that cannot tell. The correlation is that of the
        underlying normals, ``K`` lists of ``K`` numbers in the order of the parameters, null where
        they are independent.
        """
        result = {
            "schema": RESULT_SCHEMA,
            "status": status,
            "estimator": settings.training.estimator,
            "seed": settings.seed,
            "steps": steps,
            "renders": renders,
            "converged": converged,
            "seconds": {
                name: None if value is None else round(value, 3) for name, value in seconds.items()
            },
            "parameters": {
                name: _plain(value)
                | {
                    "mean_error": conclusion.mean_error.get(name),
                    "std_error": conclusion.std_error.get(name),
                }
                for name, value in parameters.items()
            },
            "undetermined": conclusion.undetermined,
            "trade_offs": msgspec.to_builtins(conclusion.trade_offs),
            "correlation": None if _is_identity(correlation) else correlation,
            "truth": {
                name: _plain(known.distribution)
                | {"drawn_mean": known.drawn_mean, "drawn_std": known.drawn_std}
                for name, known in truth.items()
            }
            or None,
            "indistinguishability": msgspec.to_builtins(conclusion.indistinguishability),
            "differences": conclusion.differences if conclusion.indistinguishability else None,
            "not_compared": conclusion.not_compared or None,
        }
        files.write_text(self.result, json.dumps(result, indent=2) + "\n")


def _plain(distribution: Distribution) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "family": distribution.family,
        "mean": distribution.mean,
        "std": distribution.std,
    }
    if distribution.family == "bounded":
        plain |= {"low": distribution.low, "high": distribution.high}
    return plain


def _is_identity(matrix: list[list[float]]) -> bool:
    return all(
        value == (row == column)
        for row, line in enumerate(matrix)
        for column, value in enumerate(line)
    )
