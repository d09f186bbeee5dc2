# SPDX-License-Identifier: GPL-3.0-or-later
"""Posterior regression: read the parameters of each target off its picture.

Every render is a pair of parameters and picture. A regression on all pairs so far predicts the
parameters of the targets; their distribution follows by empirical Bayes
(:mod:`.empirical_bayes`), and the next renders are made where targets are
believed to be (:mod:`.proposals`), so that the regression is best where it is
used. In the words of simulation-based inference this is sequential posterior estimation
(Cranmer, Brehmer & Louppe, *The frontier of simulation-based inference*, 2020), amortised over the
targets.

There are two ways to read. Levels of pixels need few renders, and are right where renders can be
like the targets: Gaussian processes from pictures to parameters, until renders are near enough for
an emulator of the renderer (:mod:`.pixel_reader`). Where renders cannot be like
the targets, because these were taken in another light or with another camera, which shows after
some rounds, a network learns to look past such differences from renders in random light, augmented
(:mod:`.network_reader`).

Parameters are regressed in the internal units of their family (:mod:`gdr_core.families`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ..base import Estimator, StepReport, Uncertainty
from ..probability_model import ProbabilityModel
from . import trade_offs
from .empirical_bayes import Population, population
from .network import Network
from .network_reader import NetworkReader
from .options import RegressionOptions
from .pictures import boxes, thumbnails
from .pixel_reader import PixelReader
from .probe import Probe
from .proposals import Box
from .reader import Reader
from .renders import Prediction, Renders

log = logging.getLogger(__name__)

OTHER_LIGHT = (
    "The targets differ from all renders in something that no parameter changes (light, exposure, "
    "background or framing); learning to look past it, which takes some hundreds of renders"
)


class Regression(Estimator):
    """See the module's text."""

    Options = RegressionOptions
    ends_itself = True

    def __init__(
        self,
        model: ProbabilityModel,
        targets: np.ndarray,
        batch: int,
        device: torch.device,
        generator: torch.Generator,
        options: RegressionOptions,
    ):
        self.model = model
        self.options = options
        self.batch = batch
        self.device = device
        self.generator = generator
        self.targets = thumbnails(targets)
        self.boxes = boxes(self.targets)
        unit = model.std.detach().double()
        self.box = Box(model.mean.detach().double(), unit, options.half)
        self.renders = Renders(torch.empty(0, len(unit)).double(), self.targets[:0])
        self.reader: Reader = PixelReader(self.boxes, self.box, options)
        self.prediction: Prediction | None = None
        self.population: Population | None = None
        self.probe = Probe(len(unit))
        self.precise_rounds = 0
        self.planned = self.box.cover(max(40, options.first * len(unit)), generator)

    @property
    def mismatched(self) -> bool:
        """Whether the network is at work, which learns to look past such differences."""
        return isinstance(self.reader, NetworkReader)

    def propose(self) -> torch.Tensor:
        return self.planned[: self.batch]

    def update(self, x: torch.Tensor, images: np.ndarray) -> StepReport:
        self.renders.add(x.double(), thumbnails(images))
        self.planned = self.planned[len(x) :]
        if len(self.planned):
            return StepReport(converged=False)
        self.probe.judge(self.renders, self.boxes)
        with _one_thread():
            self.prediction = self.reader.read(self.renders, self.prediction)
        if isinstance(self.reader, PixelReader):
            if self.reader.mismatched:
                self._look_past_light()
                return StepReport(converged=False, note=OTHER_LIGHT)
            self.probe.watch(self.prediction.told)
        self.population = self._population()
        self._move(self.population)
        self.planned = self._plan()
        return StepReport(converged=self._precise())

    def _look_past_light(self) -> None:
        """Begin anew with a network; what was read off pixels was misread."""
        network = Network(
            self.box.centre, self.box.unit, self.device, self.generator, lambda: self.check()
        )
        self.reader = NetworkReader(self.targets, network, self.box, self.options)
        self.prediction = self.population = None
        self.probe = Probe(len(self.box.unit))
        self.precise_rounds = 0
        self._move(Population.independent(self.box.centre, self.box.unit))
        self.planned = self.box.cover(self.options.network_first, self.generator)

    @torch.no_grad()
    def _move(self, found: Population) -> None:
        self.model.mean.copy_(found.mean)
        self.model.log_std.copy_(found.std.clamp(min=1e-4).log())
        self.model.correlation.copy_(found.correlation)

    def _population(self) -> Population:
        """Return what the predictions come from, within the box.

        Undetermined parameters stay as they started.
        """
        found, told = population(self.prediction), self._told()
        reach = self.box.half * self.box.unit
        mean = found.mean.clamp(self.box.centre - reach, self.box.centre + reach)
        both = told[:, None] & told
        return Population(
            torch.where(told, mean, self.box.centre),
            torch.where(told, found.std.minimum(reach), self.box.unit),
            torch.where(both, found.correlation, torch.eye(len(told), dtype=torch.float64)),
        )

    def _told(self) -> torch.Tensor:
        """Return which parameters the pictures say something about, ``(K,)`` bool."""
        return ~self.probe.undetermined

    def _precise(self) -> bool:
        """Return whether two rounds running read the targets precisely enough."""
        doubt = self.reader.doubt(self.prediction, self._told())
        log.info("%.2f times as unsure as allowed after %d renders", doubt, len(self.renders))
        precise = doubt < 1.0 and not self.probe.suspects.any()
        self.precise_rounds = self.precise_rounds + 1 if precise else 0
        return self.precise_rounds >= 2

    def _plan(self) -> torch.Tensor:
        """Return the parameters to render before the next reading.

        Undetermined parameters are drawn from their start.
        """
        pairs = self.probe.plan(self.batch, self.prediction, self.box, self.generator)
        if pairs is not None:
            return pairs
        plan = self.reader.plan(
            self.batch, self.prediction, self.population, self.renders, self.generator
        )
        noise = torch.randn(plan.shape, generator=self.generator, dtype=torch.float64)
        return torch.where(self._told(), plan, self.box.centre + self.box.unit * noise)

    def uncertainty(self) -> Uncertainty | None:
        """Standard errors from the number of targets and the error of reading them.

        A parameter that can be exchanged for others is known no better than its spread.
        """
        if self.population is None:
            return None
        count, std, error = len(self.targets), self.population.std, self.prediction.error
        # Errors of neighbouring targets are alike; of a reading not yet precise, all are.
        misread = error**2 / count**0.5 if self.precise_rounds else error**2
        names, exchanged = self.model.names, ()
        if self.reader.sensitivity is not None:
            exchanged = trade_offs.find(names, self.reader.sensitivity, std)
        in_exchange = {name for group in exchanged for name in group.direction}
        known_apart = torch.tensor([name not in in_exchange for name in names])
        misread = torch.where(known_apart, misread, torch.maximum(misread, std**2))
        others = max(1, count - 1)
        mean = (std**2 / others + misread).sqrt()
        spread = (std**2 / (2 * others) + misread).sqrt()
        told = self._told().tolist()
        return Uncertainty(
            tuple(mean.tolist()),
            tuple(spread.tolist()),
            tuple(name for name, known in zip(names, told, strict=True) if not known),
            exchanged,
        )

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": dict(self.model.state_dict()),
            "x": self.renders.x,
            "pictures": self.renders.pictures,
            "planned": self.planned,
            "prediction": vars(self.prediction) if self.prediction else None,
            "mismatched": self.mismatched,
            "reader": self.reader.state_dict(),
            "probe": self.probe.state_dict(),
            "precise_rounds": self.precise_rounds,
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["mismatched"]:
            self._look_past_light()
        self.reader.load_state_dict(state["reader"])
        self.probe.load_state_dict(state["probe"])
        self.model.load_state_dict(state["model"])
        self.renders = Renders(state["x"], state["pictures"])
        self.planned = state["planned"]
        self.prediction = Prediction(**state["prediction"]) if state["prediction"] else None
        self.population = self._population() if self.prediction else None
        self.precise_rounds = state["precise_rounds"]
        self.generator.set_state(state["generator"])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Work this small is done faster by one thread than by several, above all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
