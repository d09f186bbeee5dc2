# SPDX-License-Identifier: GPL-3.0-or-later
"""CMA-ES over ``psi``: black-box minimisation of a distance between sets of pictures.

``psi`` is the means and the logarithms of the spreads. The objective of a candidate is the energy
distance (:func:`.base.energy_distance`) between a set of its renders and the targets. The evolution
strategy is the package ``cma`` with its own defaults (Hansen, *The CMA Evolution Strategy: A
Tutorial*, arXiv 1604.00772). The estimate is the mean of its search distribution.

All candidates of a run share their standard normal draws, whitened to mean zero and unit spread, so
that the objective has no noise of its own and each candidate shows just its means and spreads. Of
sets of 8, 12, 16, 24 and 32 renders, 16 served best with 5120 in all: fewer say too little of a
spread, more leave too few generations. Smaller initial steps got stuck more often, and draws that
are new in each generation slowed it.
"""

from __future__ import annotations

import numpy as np
import torch

from trainer.estimators import StepReport

from .base import Baseline, energy_distance, features

MEAN_STEP = 0.8
LOG_STD_STEP = 0.5
"""Initial step sizes: how far off a start may well be."""


class CMA(Baseline):
    """See the module's text; ``batch`` is the renders of a candidate, a step is a generation."""

    def begin(self) -> None:
        import cma

        model, count = self.model, len(self.model.names)
        self.draws = _whitened(torch.randn(self.batch, count, generator=self.generator))
        start = torch.cat((model.mean, model.log_std)).detach().double().numpy()
        steps = np.repeat((MEAN_STEP, LOG_STD_STEP), count)
        seed = int(torch.randint(1, 2**31 - 1, (1,), generator=self.generator))
        self.strategy = cma.CMAEvolutionStrategy(
            start, 1.0, {"CMA_stds": steps, "seed": seed, "verbose": -9}
        )
        self.candidates: list[np.ndarray] = []

    def propose(self) -> torch.Tensor:
        self.candidates = self.strategy.ask()
        psi = torch.from_numpy(np.stack(self.candidates)).float()
        mean, log_std = psi.chunk(2, dim=1)
        x = mean[:, None] + log_std.exp()[:, None] * self.draws
        return x.flatten(0, 1)

    def update(self, x: torch.Tensor, images: np.ndarray) -> StepReport:
        seen = features(images).unflatten(0, (len(self.candidates), -1))
        self.strategy.tell(self.candidates, energy_distance(seen, self.targets).tolist())
        mean, log_std = torch.from_numpy(self.strategy.result.xfavorite).float().chunk(2)
        with torch.no_grad():
            self.model.mean.copy_(mean)
            self.model.log_std.copy_(log_std)
        return StepReport()


def _whitened(draws: torch.Tensor) -> torch.Tensor:
    """Return draws ``(N, K)`` with mean zero, unit spread and no correlation."""
    draws = draws - draws.mean(0)
    covariance = draws.T @ draws / len(draws)
    return torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), draws.T, upper=False).T
