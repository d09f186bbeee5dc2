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
from ..regression import pixel_regression, proposals
from ..regression.empirical_bayes import Population, population
from ..regression.network import Network
from ..regression.pictures import boxes, thumbnails
from ..regression.renders import Prediction, Renders
from .base import Estimator, StepReport, Uncertainty

log = logging.getLogger(__name__)

MISMATCH_AFTER = 80
"""Renders before which targets may be far from all renders because none is near them yet."""
MISMATCH_ROUNDS = 3
"""Rounds running in which they must be."""
UNTOLD = 0.1
"""A parameter may be undetermined where pictures tell less than this share of its variance."""
UNTOLD_ROUNDS = 6
"""Rounds running in which they must tell so little before this is looked into."""
SAME = 0.02
"""Pictures are the same that differ by less than this share of what targets differ by."""
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
        self.untold_rounds = torch.zeros(len(unit), dtype=torch.int64)
        self.undetermined = torch.zeros(len(unit), dtype=torch.bool)
        self.probed: int | None = None
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
        self._judge_probe()
        report = self._pixel_round() if self.network is None else self._network_round()
        if not len(self.planned):
            self.planned = self._plan()
        return report

    def _pixel_round(self) -> StepReport:
        with _one_thread():
            self._take(
                pixel_regression.predict(
                    self.renders, self.boxes, self.prediction, self.options.width
                )
            )
            far = pixel_regression.mismatch(self.renders, self.boxes)
        converged = self._precise(self.options.precision)
        log.info("Targets are %.1f times as far from renders as these from each other", far)
        strange = far > self.options.mismatch and len(self.renders) >= MISMATCH_AFTER
        self.mismatched_rounds = self.mismatched_rounds + 1 if strange else 0
        if self.mismatched_rounds < MISMATCH_ROUNDS:
            return StepReport(converged=converged)
        self._begin_network()
        return StepReport(converged=False, note=OTHER_LIGHT)

    def _begin_network(self) -> None:
        self.network = Network(self.box.centre, self.box.unit, self.device, self.generator)
        # What was read off pixels was misread.
        self.prediction = self.population = None
        self._move(
            Population(self.box.centre, self.box.unit, torch.eye(len(self.box.unit)).double())
        )
        self.precise_rounds = 0
        self.untold_rounds = torch.zeros_like(self.untold_rounds)
        self.undetermined = torch.zeros_like(self.undetermined)
        self.planned = self.box.cover(self.options.network_first, self.generator)

    def _network_round(self) -> StepReport:
        before = self.prediction
        with _one_thread():
            self._take(self.network.predict(self.renders, self.targets, before, self.options.width))
        moved = np.inf
        if before is not None:
            moved = (self.prediction.mean.mean(0) - before.mean.mean(0)).abs()
            moved = torch.where(self._told(), moved / self.population.std, 0.0).max().item()
        precise = self._precise(self.options.network_precision, moved)
        return StepReport(converged=precise)

    def _take(self, prediction: Prediction) -> None:
        """Believe the prediction, and move the model to the population behind it."""
        self.prediction = prediction
        untold = prediction.told < UNTOLD
        self.untold_rounds = torch.where(untold, self.untold_rounds + 1, 0)
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
        return ~self.undetermined

    def _probe(self) -> torch.Tensor | None:
        """Plan pairs of renders that differ in one parameter only, if it seems undetermined."""
        suspects = (self.untold_rounds >= UNTOLD_ROUNDS) & ~self.undetermined
        if self.network is not None or not suspects.any():
            return None
        self.probed = int(suspects.nonzero()[0])
        pairs = max(1, self.batch // 2)
        base = proposals.at_targets(pairs, self.prediction, 0.5, self.generator)
        twins = base.clone()
        twins[:, self.probed] = self.box.draw(pairs, self.generator)[:, self.probed]
        return torch.cat((base, twins))

    def _judge_probe(self) -> None:
        """Call the probed parameter undetermined if it changed no picture."""
        if self.probed is None:
            return
        pairs = max(1, self.batch // 2)
        base, twins = self.renders.boxes[-2 * pairs :].split(pairs)
        change = (base - twins).norm(dim=1).median()
        among = torch.cdist(self.boxes, torch.cat((self.boxes, base))).median()
        self.undetermined[self.probed] = change < SAME * among
        self.untold_rounds[self.probed] = 0
        self.probed = None

    def _precise(self, precision: float, moved: float = 0.0) -> bool:
        """Return whether two rounds running read the targets precisely enough."""
        relative = self.prediction.error / self.prediction.spread
        worst = torch.where(self._told(), relative, 0.0).max().item()
        log.info("Predictions err by %.3f spreads after %d renders", worst, len(self.renders))
        precise = worst < precision and moved < precision
        self.precise_rounds = self.precise_rounds + 1 if precise else 0
        return self.precise_rounds >= 2

    def _plan(self) -> torch.Tensor:
        """Return the parameters to render before the next regression.

        Undetermined parameters are drawn from their start.
        """
        probe = self._probe()
        if probe is not None:
            return probe
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
                    proposals.at_targets(near, self.prediction, 0.5 * options.jitter, generator),
                    self.box.draw(wide, generator),
                )
            )
            return plan[torch.randperm(len(plan), generator=generator)]
        wide = max(1, round(options.share_wide * self.batch))
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
            "untold_rounds": self.untold_rounds,
            "undetermined": self.undetermined,
            "probed": self.probed,
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.renders = Renders(state["x"], state["pictures"])
        self.planned = state["planned"]
        self.untold_rounds = state["untold_rounds"]
        self.undetermined = state["undetermined"]
        self.probed = state["probed"]
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
