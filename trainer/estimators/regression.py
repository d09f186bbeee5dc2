# SPDX-License-Identifier: GPL-3.0-or-later
"""Posterior regression: read the parameters of each target off its picture.

Every render is a pair of parameters and picture. From all pairs so far a Gaussian process learns to
predict parameters from pictures, near the targets; the predictions for the targets give the mean
and spread of their distribution (empirical Bayes: Louppe et al., *Neural Empirical Bayes*, arXiv
2011.05836, with a regression in place of a flow). The next renders are made where targets are
believed to be, so that the regression is best where it is used; a share of them is made elsewhere,
so that it cannot lock on to a wrong place.

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
from torch.nn import functional

from ..gaussian_process import GaussianProcess
from ..probability_model import ProbabilityModel
from .base import Estimator, StepReport

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RegressionOptions:
    """Settings of the posterior regression.

    Attributes
    ----------
    first
        Renders from the widened start before the first regression.
    widen
        How much wider than the start these are drawn.
    components
        Principal components of the pictures that the regression sees.
    keep
        At most so many renders, those most like a target, enter a regression.
    jitter
        Spread of the renders around a target's predicted parameters, in spreads of the model.
    share_uncertain
        Share of a batch that is drawn from the predictive distributions, however wide.
    share_alike
        Share of a batch that is drawn around the renders most like the targets.
    share_wide
        Share of a batch that is drawn from the widened start, at least one.
    precision
        Converged when the error of the predictions is below so many spreads of the model.
    """

    first: int = 40
    widen: float = 3.0
    components: int = 24
    keep: int = 128
    jitter: float = 0.5
    share_uncertain: float = 0.2
    share_alike: float = 0.25
    share_wide: float = 0.05
    precision: float = 0.1


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
        self.generator = generator
        self.start_mean = model.mean.detach().double()
        self.start_std = model.std.detach().double()
        self.targets = features(targets)
        self.x = torch.empty(0, len(model.names), dtype=torch.float64)
        self.features = torch.empty(0, self.targets.shape[1], dtype=torch.float64)
        self.predicted = torch.empty(0, len(model.names), dtype=torch.float64)
        self.variance = torch.empty_like(self.predicted)
        self.precise_rounds = 0

    def propose(self) -> torch.Tensor:
        if not len(self.predicted):
            return self.model.from_internal(self._wide(self.batch))
        options = self.options
        wide = max(1, round(options.share_wide * self.batch))
        alike = round(options.share_alike * self.batch)
        uncertain = round(options.share_uncertain * self.batch)
        at_targets = max(0, self.batch - wide - alike - uncertain)
        spread = (options.jitter * self.predicted.std(0, unbiased=False)).clamp(min=0.03)
        parts = (
            self._around(self.predicted, spread, at_targets),
            self._around_uncertain(uncertain),
            self._around_alike(alike),
            self._wide(wide),
        )
        return self.model.from_internal(torch.cat(parts)[: self.batch])

    def update(self, z: torch.Tensor, images: np.ndarray) -> StepReport:
        self.x = torch.cat((self.x, self.model.to_internal(z)))
        self.features = torch.cat((self.features, features(images)))
        if len(self.x) < self.options.first:
            return StepReport(converged=False)
        with _one_thread():
            errors = self._regress()
        mean = self.predicted.mean(0)
        std = self.predicted.std(0, unbiased=False).clamp(min=1e-4)
        with torch.no_grad():
            self.model.mean.copy_(mean)
            self.model.log_std.copy_(std.log())
        worst = (errors / std).max().item()
        self.precise_rounds = self.precise_rounds + 1 if worst < self.options.precision else 0
        log.info("Predictions err by %.3f spreads after %d renders", worst, len(self.x))
        return StepReport(converged=self.precise_rounds >= 2)

    def _regress(self) -> torch.Tensor:
        """Predict every target's parameters; return the predictions' error, ``(K,)``."""
        kept = self._most_alike()
        known = self.features[kept]
        components = _principal_components(known, self.targets, self.options.components)
        centre, axes = components
        near, far = (known - centre) @ axes.T, (self.targets - centre) @ axes.T
        mean, variance, error = [], [], []
        for k in range(self.x.shape[1]):
            process = GaussianProcess(near, self.x[kept, k])
            m, v = process.predict(far)
            mean.append(m)
            variance.append(v)
            # The median leaves out the few renders of the wide share, far from every target.
            residual = process.leave_one_out().abs().median() / 0.6745
            # One target may be read half as well as all together.
            error.append(torch.stack((residual, v.mean().sqrt(), v.max().sqrt() / 2)).max())
        self.predicted, self.variance = torch.stack(mean, 1), torch.stack(variance, 1)
        return torch.stack(error)

    def _most_alike(self) -> torch.Tensor:
        """Return indices of the renders that are among the most alike for some target."""
        count = min(len(self.x), max(32, min(self.options.keep, len(self.x) // 2)))
        distance = torch.cdist(self.features, self.targets)
        rank = distance.argsort(0).argsort(0).min(1).values.double()
        nearest = distance.min(1).values
        return (rank + 0.5 * nearest / nearest.max().clamp(min=1e-12)).argsort()[:count]

    def _around(self, centres: torch.Tensor, spread: torch.Tensor, count: int) -> torch.Tensor:
        """Draw around randomly chosen centres ``(C, K)`` with the spread ``(K,)``."""
        chosen = torch.randint(len(centres), (count,), generator=self.generator)
        return centres[chosen] + spread * self._noise(count)

    def _around_uncertain(self, count: int) -> torch.Tensor:
        """Draw from predictive distributions, the wider of them more often."""
        relative = self.variance / self.predicted.var(0, unbiased=False).clamp(min=1e-8)
        weight = relative.sum(1).sqrt()
        chosen = torch.multinomial(weight, count, replacement=True, generator=self.generator)
        return self.predicted[chosen] + self.variance[chosen].sqrt() * self._noise(count)

    def _around_alike(self, count: int) -> torch.Tensor:
        """Draw around the twelfth of the renders that is most like the targets on the whole."""
        best = torch.cdist(self.features, self.targets).mean(1).argsort()
        centres = self.x[best[: max(6, len(self.x) // 12)]]
        return self._around(centres, (0.7 * centres.std(0, unbiased=False)).clamp(min=0.014), count)

    def _wide(self, count: int) -> torch.Tensor:
        return self.start_mean + self.options.widen * self.start_std * self._noise(count)

    def _noise(self, count: int) -> torch.Tensor:
        shape = (count, len(self.model.names))
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": dict(self.model.state_dict()),
            "x": self.x,
            "features": self.features,
            "predicted": self.predicted,
            "variance": self.variance,
            "precise_rounds": self.precise_rounds,
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        for name in ("x", "features", "predicted", "variance", "precise_rounds"):
            setattr(self, name, state[name])
        self.generator.set_state(state["generator"])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Matrices of this size are factorised faster by one thread than by several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def features(images: np.ndarray) -> torch.Tensor:
    """Return what the regression sees of pictures ``(N, S, S, 3)`` uint8: ``(N, F)`` float64.

    Grey levels in a box of a sixteenth of the side, at every half box.
    """
    grey = torch.from_numpy(images.astype(np.float64).mean(-1) / 255.0)[:, None]
    box = max(2, images.shape[1] // 16)
    return functional.avg_pool2d(grey, box, stride=box // 2).flatten(1)


def _principal_components(
    known: torch.Tensor, targets: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the centre ``(F,)`` and axes ``(C, F)``; a target weighs half of a render."""
    rows = torch.cat((known, targets))
    weight = torch.cat((torch.ones(len(known)), torch.full((len(targets),), 0.5))).double()
    centre = (weight[:, None] * rows).sum(0) / weight.sum()
    _, sizes, axes = torch.linalg.svd((rows - centre) * weight.sqrt()[:, None], full_matrices=False)
    strong = int((sizes > 1e-3 * sizes[0]).sum())
    return centre, axes[: max(1, min(count, strong))]
