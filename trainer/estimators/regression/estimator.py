# SPDX-License-Identifier: GPL-3.0-or-later
"""Posterior regression: infer the parameters of each target from its picture.

Every render is a pair of parameters and picture. A regression on all pairs predicts the parameters
of the targets; their population follows by empirical Bayes (:mod:`.empirical_bayes`), and the next
renders are proposed near the predictions (:mod:`.proposals`), so that the regression is most
accurate near the targets. In the terms of simulation-based inference this is sequential posterior
estimation, amortised over the targets (Cranmer, Brehmer & Louppe, *The frontier of simulation-based
inference*, 2020).

Two readers infer parameters:

* :mod:`.pixel_reader` needs few renders, and is right where renders can be like the targets. It
  begins with Gaussian processes from pictures to parameters, and inverts an emulator of the
  renderer once renders are near the targets.
* :mod:`.network_reader` follows after a mismatch (:mod:`.mismatch`), when targets were taken in
  another light or with another camera. Its network learns from augmented renders in random light to
  ignore such differences.

Parameters are in the internal units of their family (:mod:`gdr_core.families`).
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
from .empirical_bayes import Population, estimate_population
from .network import Network
from .network_reader import NetworkReader
from .options import RegressionOptions
from .pictures import features, thumbnails
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
    """Posterior regression, as described above."""

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
        self.features = features(self.targets)
        unit = model.std.detach().double()
        self.box = Box(model.mean.detach().double(), unit, options.half)
        self.renders = Renders(torch.empty(0, len(unit)).double(), self.targets[:0])
        self.reader: Reader = PixelReader(self.features, self.box, options)
        self.prediction: Prediction | None = None
        self.population: Population | None = None
        self.probe = Probe(len(unit))
        self.precise_rounds = 0
        self.planned = self.box.cover(max(40, options.first * len(unit)), generator)

    @property
    def mismatched(self) -> bool:
        """Whether a mismatch was detected, and the network is used."""
        return isinstance(self.reader, NetworkReader)

    def propose(self) -> torch.Tensor:
        return self.planned[: self.batch]

    def update(self, x: torch.Tensor, images: np.ndarray) -> StepReport:
        self.renders.add(x.double(), thumbnails(images))
        self.planned = self.planned[len(x) :]
        if len(self.planned):
            return StepReport(converged=False)
        self.probe.evaluate(self.renders, self.features)
        with _one_thread():
            self.prediction = self.reader.predict(self.renders, self.prediction)
        if isinstance(self.reader, PixelReader):
            if self.reader.mismatched:
                self._switch_to_network()
                return StepReport(converged=False, note=OTHER_LIGHT)
            self.probe.update(self.prediction.explained)
        self.population = self._population()
        self._set_model(self.population)
        self.planned = self._plan()
        return StepReport(converged=self._converged())

    def _switch_to_network(self) -> None:
        """Begin anew with a network, because predictions from pixels are wrong."""
        network = Network(
            self.box.centre, self.box.unit, self.device, self.generator, lambda: self.check()
        )
        self.reader = NetworkReader(self.targets, network, self.box, self.options)
        self.prediction = self.population = None
        self.probe = Probe(len(self.box.unit))
        self.precise_rounds = 0
        self._set_model(Population.independent(self.box.centre, self.box.unit))
        self.planned = self.box.cover(self.options.network_first, self.generator)

    @torch.no_grad()
    def _set_model(self, population: Population) -> None:
        self.model.mean.copy_(population.mean)
        self.model.log_std.copy_(population.std.clamp(min=1e-4).log())
        self.model.correlation.copy_(population.correlation)

    def _population(self) -> Population:
        """Return the population behind the predictions, within the box.

        Undetermined parameters keep their start.
        """
        estimate, determined = estimate_population(self.prediction), self._determined()
        reach = self.box.half * self.box.unit
        mean = estimate.mean.clamp(self.box.centre - reach, self.box.centre + reach)
        both = determined[:, None] & determined
        identity = torch.eye(len(determined), dtype=torch.float64)
        return Population(
            torch.where(determined, mean, self.box.centre),
            torch.where(determined, estimate.std.minimum(reach), self.box.unit),
            torch.where(both, estimate.correlation, identity),
        )

    def _determined(self) -> torch.Tensor:
        """Return which parameters the pictures determine, ``(K,)`` bool."""
        return ~self.probe.undetermined

    def _converged(self) -> bool:
        """Return whether the last two rounds were precise enough."""
        uncertainty = self.reader.relative_uncertainty(self.prediction, self._determined())
        log.info(
            "The uncertainty is %.2f times the allowed one after %d renders",
            uncertainty,
            len(self.renders),
        )
        precise = uncertainty < 1.0 and not self.probe.suspects.any()
        self.precise_rounds = self.precise_rounds + 1 if precise else 0
        return self.precise_rounds >= 2

    def _plan(self) -> torch.Tensor:
        """Return the parameters to render before the next prediction.

        Undetermined parameters are drawn from their start.
        """
        pairs = self.probe.plan(self.batch, self.prediction, self.box, self.generator)
        if pairs is not None:
            return pairs
        plan = self.reader.plan(
            self.batch, self.prediction, self.population, self.renders, self.generator
        )
        noise = torch.randn(plan.shape, generator=self.generator, dtype=torch.float64)
        return torch.where(self._determined(), plan, self.box.centre + self.box.unit * noise)

    def uncertainty(self) -> Uncertainty | None:
        """Return standard errors, from the number of targets and the errors of the predictions.

        The standard error of an exchangeable parameter is at least its spread.
        """
        if self.population is None:
            return None
        count, std, error = len(self.targets), self.population.std, self.prediction.error
        # Errors of neighbouring targets are correlated; before convergence, those of all are.
        inferred = error**2 / count**0.5 if self.precise_rounds else error**2
        names, groups = self.model.names, ()
        if self.reader.sensitivity is not None:
            groups = trade_offs.find(names, self.reader.sensitivity, std)
        exchangeable = {name for group in groups for name in group.direction}
        separate = torch.tensor([name not in exchangeable for name in names])
        inferred = torch.where(separate, inferred, torch.maximum(inferred, std**2))
        others = max(1, count - 1)
        mean = (std**2 / others + inferred).sqrt()
        spread = (std**2 / (2 * others) + inferred).sqrt()
        determined = self._determined().tolist()
        return Uncertainty(
            tuple(mean.tolist()),
            tuple(spread.tolist()),
            tuple(name for name, known in zip(names, determined, strict=True) if not known),
            groups,
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
            self._switch_to_network()
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
    """Compute with one thread, which is faster for matrices this small, and more so on a busy
    machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
