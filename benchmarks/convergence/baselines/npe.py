# SPDX-License-Identifier: GPL-3.0-or-later
"""Neural posterior estimation with the package ``sbi``, pooled over the targets.

A density estimator learns the posterior of a picture's parameters from renders of a wide prior (G.
Papamakarios & I. Murray, arXiv 1605.06376; the package: A. Tejero-Cantero et al., JOSS 5(52),
2020). The mean and spread of posterior samples of all targets together are the distribution (the
pooled posterior, one step of the empirical Bayes of G. Louppe et al., arXiv 2011.05836).

The prior is the start, widened three times. Rounds after the first draw from it truncated to the
box that the pooled samples reach, with a margin (M. Deistler, P. J. Goncalves & J. H. Macke,
*Truncated proposals for scalable and hassle-free simulation-based inference*, arXiv 2210.04815):
within the box the posterior stays the same, so each round trains plainly on all renders inside it.
The density estimator is sbi's default, a masked autoregressive flow, after a small fully connected
embedding of the pictures; a mixture density network failed for one seed, a neural spline flow was
no better and took three times as long.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings

import numpy as np
import torch
from torch.distributions import Independent, Normal

from trainer.estimators import StepReport
from trainer.probability_model import ProbabilityModel

from .base import Baseline, NoOptions, features

WIDEN = 3.0
TAIL = 0.005
"""Share of the pooled samples that may lie beyond either side of the box."""
MARGIN = 0.25
"""By how much of its width the box grows on either side."""
SAMPLES = 100
"""Posterior samples of each target."""
MAX_EPOCHS = 300


class NPE(Baseline):
    """See the module's text; a step is a round."""

    def __init__(
        self,
        model: ProbabilityModel,
        targets: np.ndarray,
        batch: int,
        device: torch.device,
        generator: torch.Generator,
        options: NoOptions,
    ):
        self.model = model
        self.batch = batch
        self.generator = generator
        self.targets = features(targets)
        self.prior_mean = model.mean.detach().clone()
        self.prior_std = WIDEN * model.std.detach()
        self.low = torch.full_like(self.prior_mean, -torch.inf)
        self.high = torch.full_like(self.prior_mean, torch.inf)
        self.x = torch.empty(0, len(model.names))
        self.features = torch.empty(0, self.targets.shape[1])

    def propose(self) -> torch.Tensor:
        """Draw from the prior, truncated to the box."""
        prior = Normal(self.prior_mean, self.prior_std)
        low, high = prior.cdf(self.low), prior.cdf(self.high)
        share = torch.rand(self.batch, len(self.low), generator=self.generator)
        x = prior.icdf((low + (high - low) * share).clamp(1e-6, 1 - 1e-6))
        return self.model.from_internal(x)

    def update(self, z: torch.Tensor, images: np.ndarray) -> StepReport:
        self.x = torch.cat((self.x, self.model.to_internal(z).float()))
        self.features = torch.cat((self.features, features(images)))
        pooled = self._posterior_samples().flatten(0, 1)
        with torch.no_grad():
            self.model.mean.copy_(pooled.mean(0))
            self.model.log_std.copy_(pooled.std(0).clamp(min=1e-4).log())
        low, high = torch.quantile(pooled, torch.tensor([TAIL, 1 - TAIL]), dim=0)
        margin = MARGIN * (high - low)
        self.low = torch.maximum(self.low, low - margin)
        self.high = torch.minimum(self.high, high + margin)
        return StepReport()

    def _posterior_samples(self) -> torch.Tensor:
        """Train on the renders in the box; return samples ``(S, N, K)`` for the targets."""
        inside = ((self.x >= self.low) & (self.x <= self.high)).all(1)
        quiet = contextlib.redirect_stdout(io.StringIO())
        with quiet, warnings.catch_warnings(), _Reproducible(self.generator):
            warnings.simplefilter("ignore")
            network = self._train(self.x[inside], self.features[inside])
            with torch.no_grad():
                samples = network.sample((SAMPLES,), self.targets)
        # A target whose posterior is all over the place shall not throw the box open again.
        low, high = self.low.clamp(min=-1e3), self.high.clamp(max=1e3)
        return torch.minimum(torch.maximum(samples, low), high)

    def _train(self, x: torch.Tensor, seen: torch.Tensor):
        from sbi.inference import NPE as Trainer
        from sbi.neural_nets import posterior_nn
        from sbi.neural_nets.embedding_nets import FCEmbedding

        embedding = FCEmbedding(seen.shape[1], output_dim=16, num_layers=2, num_hiddens=64)
        prior = Independent(Normal(self.prior_mean, self.prior_std), 1)
        trainer = Trainer(
            prior,
            density_estimator=posterior_nn("maf", embedding_net=embedding),
            show_progress_bars=False,
            logging_level=logging.ERROR,
            tracker=_NoTracker(),
        )
        trainer.append_simulations(x, seen)
        return trainer.train(
            training_batch_size=64,
            max_num_epochs=MAX_EPOCHS,
            force_first_round_loss=True,
        )


class _NoTracker:
    """Keeps ``sbi`` from writing its log into the current folder."""

    def log_metric(self, *_: object, **__: object) -> None:
        pass

    def flush(self) -> None:
        pass


class _Reproducible:
    """Let torch's global generator, which ``sbi`` uses, follow another one."""

    def __init__(self, generator: torch.Generator) -> None:
        self._seed = int(torch.randint(2**31, (1,), generator=generator))

    def __enter__(self) -> None:
        self._state = torch.get_rng_state()
        torch.manual_seed(self._seed)

    def __exit__(self, *_: object) -> None:
        torch.set_rng_state(self._state)
