# SPDX-License-Identifier: GPL-3.0-or-later
"""Posterior regression: read the parameters of each target off its picture.

Every render is a pair of parameters and picture. A regression on all pairs so far predicts the
parameters of the targets; their distribution follows by empirical Bayes
(:mod:`trainer.regression.empirical_bayes`), and the next renders are made where targets are
believed to be (:mod:`trainer.regression.proposals`), so that the regression is best where it is
used. In the words of simulation-based inference this is sequential posterior estimation
(Cranmer, Brehmer & Louppe, *The frontier of simulation-based inference*, 2020), amortised over the
targets.

There are two regressions. Gaussian processes on the levels of pixels need few renders, and are
right where renders can be like the targets (:mod:`trainer.regression.pixel_regression`). Where
they cannot, because the targets were taken in another light or with another camera, which shows
after some rounds, a network learns to look past such differences from renders in random light,
augmented (:mod:`trainer.regression.network`).

Parameters are regressed in the internal units of their family (:mod:`gdr_core.families`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..probability_model import ProbabilityModel
from ..regression import emulation, pixel_regression, proposals
from ..regression.empirical_bayes import Population, population
from ..regression.network import Network
from ..regression.pictures import boxes, thumbnails
from ..regression.probe import Probe
from ..regression.renders import Prediction, Renders
from .base import Estimator, StepReport, Uncertainty

log = logging.getLogger(__name__)

MISMATCH_AFTER = 80
"""Renders before which targets may be far from all renders because none is near them yet."""
MISMATCH_ROUNDS = 3
"""Rounds running in which they must be."""
OTHER_LIGHT = (
    "The targets differ from all renders in something that no parameter changes (light, exposure, "
    "background or framing); learning to look past it, which takes some hundreds of renders"
)


@dataclass(frozen=True)
class RegressionOptions:
    """Settings of the posterior regression.

    Attributes
    ----------
    first
        Renders a parameter that cover the box before the first regression, 40 at least in all.
    half
        From the start to a side of the box, in spreads of the start.
    jitter
        Spread of the renders around a target's predicted parameters, in spreads of the model.
    width
        How much wider than the targets' predictions the renders are weighted.
    share_alike
        Share of a batch that is drawn around the renders most like the targets.
    share_wide
        Share of a batch that is drawn from the box, at least one.
    precision
        Converged when the error of the predictions is below so many spreads of the model.
    mismatch
        How much farther from renders than these from each other targets are that no render can
        be like.
    network_first, network_next
        Renders in random light before the network's first training, and before each next one.
    network_wide
        Share of the latter that is drawn from the box.
    network_precision
        As ``precision``, for the network.
    """

    first: int = 20
    half: float = 4.5
    jitter: float = 1.0
    width: float = 3.5
    share_alike: float = 0.15
    share_wide: float = 0.05
    precision: float = 0.1
    explained: float = 0.8
    misfit: float = 4.0
    alike: float = 0.05
    emulated_jitter: float = 0.7
    mismatch: float = 6.0
    network_first: int = 300
    network_next: int = 150
    network_wide: float = 0.15
    network_precision: float = 0.5


class Regression(Estimator):
    """See the module's text."""

    Options = RegressionOptions

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
        self.box = proposals.Box(model.mean.detach().double(), unit, options.half)
        self.renders = Renders(torch.empty(0, len(unit)).double(), self.targets[:0])
        self.prediction: Prediction | None = None
        self.population: Population | None = None
        self.network: Network | None = None
        self.precise_rounds = 0
        self.mismatched_rounds = 0
        self.emulator: torch.Tensor | None = None
        self.sensitivity: torch.Tensor | None = None
        self.probe = Probe(len(unit))
        self.planned = self.box.cover(max(40, options.first * len(unit)), generator)

    @property
    def varies_light(self) -> bool:
        """Whether the network is at work, which learns to look past the light."""
        return self.network is not None

    def propose(self) -> torch.Tensor:
        return self.model.from_internal(self.planned[: self.batch])

    def update(self, z: torch.Tensor, images: np.ndarray) -> StepReport:
        self.renders.add(self.model.to_internal(z), thumbnails(images))
        self.planned = self.planned[len(z) :]
        if len(self.planned):
            return StepReport(converged=False)
        self.probe.judge(self.renders, self.boxes)
        report = self._pixel_round() if self.network is None else self._network_round()
        if not len(self.planned):
            self.planned = self._plan()
        return report

    def _pixel_round(self) -> StepReport:
        with _one_thread():
            self._take(self._read_pixels())
            far = pixel_regression.mismatch(self.renders, self.boxes)
        converged = self._precise(self._unsure() < self._enough())
        log.info("Targets are %.1f times as far from renders as these from each other", far)
        strange = far > self.options.mismatch and len(self.renders) >= MISMATCH_AFTER
        self.mismatched_rounds = self.mismatched_rounds + 1 if strange else 0
        if self.mismatched_rounds < MISMATCH_ROUNDS:
            return StepReport(converged=converged)
        self._begin_network()
        return StepReport(converged=False, note=OTHER_LIGHT)

    def _read_pixels(self) -> Prediction:
        """Return what the emulator says, if it serves already, or the regression."""
        before, options = self.prediction, self.options
        regressed = pixel_regression.predict(self.renders, self.boxes, before, options.width)
        emulated = self.sensitivity is not None
        found = emulation.predict(
            self.renders,
            self.boxes,
            before if emulated else regressed,
            options.half / emulation.REACH * self.box.unit,
            [regressed.mean, before.mean] if emulated else [regressed.mean],
            self.emulator,
        )
        log.info(
            "The emulator explains %.3f of the pictures, and misses targets %.2f times as much",
            found.explained,
            found.misfit,
        )
        serves = found.explained > options.explained and found.misfit < options.misfit
        self.emulator = found.theta
        self.sensitivity = found.sensitivity if serves else None
        return found.prediction if serves else regressed

    def _begin_network(self) -> None:
        self.network = Network(self.box.centre, self.box.unit, self.device, self.generator)
        # What was read off pixels was misread.
        self.prediction = self.population = None
        self._move(
            Population(self.box.centre, self.box.unit, torch.eye(len(self.box.unit)).double())
        )
        self.precise_rounds = 0
        self.probe = Probe(len(self.box.unit))
        self.planned = self.box.cover(self.options.network_first, self.generator)

    def _network_round(self) -> StepReport:
        before = self.prediction
        with _one_thread():
            self._take(self.network.predict(self.renders, self.targets, before, self.options.width))
        moved = np.inf
        if before is not None:
            moved = (self.prediction.mean.mean(0) - before.mean.mean(0)).abs()
            moved = torch.where(self._told(), moved / self.population.std, 0.0).max().item()
        precision = self.options.network_precision
        return StepReport(converged=self._precise(max(self._unsure(), moved) < precision))

    def _take(self, prediction: Prediction) -> None:
        """Believe the prediction, and move the model to the population behind it."""
        self.prediction = prediction
        self.probe.watch(prediction.told)
        self.population = self._population()
        self._move(self.population)

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

    def _unsure(self) -> float:
        """Return how unsure the prediction is: as a share of what targets differ by where the
        emulator serves, in their pictures, or else of the worst parameter's spread."""
        told = self._told()
        if self.sensitivity is not None:
            both = told[:, None] & told
            covariance = self.prediction.covariance.mean(0)
            return torch.where(both, self.sensitivity * covariance, 0.0).sum().clamp(min=0).sqrt().item()
        relative = self.prediction.error / self.prediction.spread
        return torch.where(told, relative, 0.0).max().item()

    def _enough(self) -> float:
        return self.options.precision if self.sensitivity is None else self.options.alike

    def _precise(self, precise: bool) -> bool:
        """Return whether two rounds running were precise."""
        precise = precise and not (self.network is None and self.probe.suspects.any())
        self.precise_rounds = self.precise_rounds + 1 if precise else 0
        return self.precise_rounds >= 2

    def _plan(self) -> torch.Tensor:
        """Return the parameters to render before the next regression.

        Undetermined parameters are drawn from their start.
        """
        if self.network is None:
            pairs = self.probe.plan(self.batch, self.prediction, self.box, self.generator)
            if pairs is not None:
                return pairs
        plan, told = self._near_targets(), self._told()
        noise = torch.randn(plan.shape, generator=self.generator, dtype=torch.float64)
        return torch.where(told, plan, self.box.centre + self.box.unit * noise)

    def _near_targets(self) -> torch.Tensor:
        options, generator = self.options, self.generator
        if self.network is not None:
            wide = round(options.network_wide * options.network_next)
            near = options.network_next - wide
            plan = torch.cat(
                (
                    proposals.at_targets(
                        near,
                        self.prediction,
                        (0.5 * options.jitter * self.prediction.spread).clamp(min=0.03),
                        generator,
                    ),
                    self.box.draw(wide, generator),
                )
            )
            return plan[torch.randperm(len(plan), generator=generator)]
        wide = max(1, round(options.share_wide * self.batch))
        if self.sensitivity is not None:
            width = (options.emulated_jitter * self.population.std).clamp(min=0.01)
            near = proposals.at_targets(self.batch - wide, self.prediction, width, generator)
            return torch.cat((near, self.box.draw(wide, generator)))[: self.batch]
        alike = round(options.share_alike * self.batch)
        near = max(0, self.batch - wide - alike)
        plan = torch.cat(
            (
                proposals.search(
                    near,
                    self.prediction,
                    self.renders,
                    self.boxes,
                    self.box,
                    options.jitter,
                    generator,
                ),
                proposals.around_best(alike, self.renders, self.boxes, generator),
                self.box.draw(wide, generator),
            )
        )
        return plan[: self.batch]

    def uncertainty(self) -> Uncertainty | None:
        """Standard errors from the number of targets and the error of reading them."""
        if self.population is None:
            return None
        count = len(self.targets)
        std, error = self.population.std, self.prediction.error
        # Errors of neighbouring targets are alike; of a reading not yet precise, all are.
        misread = error**2 / count**0.5 if self.precise_rounds else error**2
        others = max(1, count - 1)
        mean = (std**2 / others + misread).sqrt()
        spread = (std**2 / (2 * others) + misread).sqrt()
        told = self._told().tolist()
        names = tuple(name for name, known in zip(self.model.names, told, strict=True) if not known)
        return Uncertainty(tuple(mean.tolist()), tuple(spread.tolist()), names)

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": dict(self.model.state_dict()),
            "x": self.renders.x,
            "pictures": self.renders.pictures,
            "planned": self.planned,
            "prediction": vars(self.prediction) if self.prediction else None,
            "network": self.network.state_dict() if self.network else None,
            "precise_rounds": self.precise_rounds,
            "mismatched_rounds": self.mismatched_rounds,
            "probe": self.probe.state_dict(),
            "emulator": self.emulator,
            "sensitivity": self.sensitivity,
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.renders = Renders(state["x"], state["pictures"])
        self.planned = state["planned"]
        self.probe.load_state_dict(state["probe"])
        self.emulator = state["emulator"]
        self.sensitivity = state["sensitivity"]
        self.prediction = Prediction(**state["prediction"]) if state["prediction"] else None
        self.population = self._population() if self.prediction else None
        if state["network"]:
            self.network = Network(self.box.centre, self.box.unit, self.device, self.generator)
            self.network.load_state_dict(state["network"])
        self.precise_rounds = state["precise_rounds"]
        self.mismatched_rounds = state["mismatched_rounds"]
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
