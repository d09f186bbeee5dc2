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

Each round trains a new network: one that went on training from round to round stayed stuck where
its first round had left it. About one training in ten learns nothing, so one that predicts worse
than the network before it, which has not seen the newest renders, is made again, twice at most.

The density estimator is sbi's default, a masked autoregressive flow, after a small fully connected
embedding of the pictures; a mixture density network failed for one seed, a neural spline flow was
no better and took three times as long. Rounds of 512 came no sooner than those of 256.
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

from .base import Baseline, features

WIDEN = 3.0
TAIL = 0.005
"""Share of the pooled samples that may lie beyond either side of the box."""
MARGIN = 0.25
"""By how much of its width the box grows on either side."""
SAMPLES = 100
"""Posterior samples of each target."""
MAX_EPOCHS = 300
TRIES = 3
"""Networks trained in a round at most."""


class NPE(Baseline):
    """See the module's text; a step is a round."""

    def begin(self) -> None:
        self.prior_mean = self.model.mean.detach().clone()
        self.prior_std = WIDEN * self.model.std.detach()
        self.low = torch.full_like(self.prior_mean, -torch.inf)
        self.high = torch.full_like(self.prior_mean, torch.inf)
        self.network = None
        self.x = torch.empty(0, len(self.model.names))
        self.features = torch.empty(0, self.targets.shape[1])

    def propose(self) -> torch.Tensor:
        """Draw from the prior, truncated to the box."""
        prior = Normal(self.prior_mean, self.prior_std)
        low, high = prior.cdf(self.low), prior.cdf(self.high)
        share = torch.rand(self.batch, len(self.low), generator=self.generator)
        x = prior.icdf((low + (high - low) * share).clamp(1e-6, 1 - 1e-6))
        return x

    def update(self, x: torch.Tensor, images: np.ndarray) -> StepReport:
        newest = x.float(), features(images)
        self.x = torch.cat((self.x, newest[0]))
        self.features = torch.cat((self.features, newest[1]))
        quiet = contextlib.redirect_stdout(io.StringIO())
        with quiet, warnings.catch_warnings(), _Reproducible(self.generator):
            warnings.simplefilter("ignore")
            self._learn(*newest)
            pooled = self._posterior_samples().flatten(0, 1)
        with torch.no_grad():
            self.model.mean.copy_(pooled.mean(0))
            self.model.log_std.copy_(pooled.std(0).clamp(min=1e-4).log())
        low, high = torch.quantile(pooled, torch.tensor([TAIL, 1 - TAIL]), dim=0)
        margin = MARGIN * (high - low)
        self.low = torch.maximum(self.low, low - margin)
        self.high = torch.minimum(self.high, high + margin)
        return StepReport()

    @torch.no_grad()
    def _posterior_samples(self) -> torch.Tensor:
        """Return samples ``(S, N, K)`` of the targets' posteriors."""
        samples = self.network.sample((SAMPLES,), self.targets)
        # A target whose posterior is all over the place shall not throw the box open again.
        low, high = self.low.clamp(min=-1e3), self.high.clamp(max=1e3)
        return torch.minimum(torch.maximum(samples, low), high)

    def _learn(self, x: torch.Tensor, seen: torch.Tensor) -> None:
        """Take a new network, unless all that were trained are worse on the newest renders."""
        best = torch.inf
        if self.network is not None:
            with torch.no_grad():
                best = self.network.loss(x, seen).mean().item()
        inside = ((self.x >= self.low) & (self.x <= self.high)).all(1)
        for _ in range(TRIES):
            loss, network = self._train(self.x[inside], self.features[inside])
            if loss <= best:
                self.network = network
                return

    def _train(self, x: torch.Tensor, seen: torch.Tensor):
        """Return the loss on renders kept aside, and the network."""
        from sbi.inference import NPE as Trainer
        from sbi.neural_nets import posterior_nn
        from sbi.neural_nets.embedding_nets import FCEmbedding

        embedding = FCEmbedding(seen.shape[1], output_dim=16, num_layers=2, num_hiddens=64)
        trainer = Trainer(
            Independent(Normal(self.prior_mean, self.prior_std), 1),
            density_estimator=posterior_nn("maf", embedding_net=embedding),
            show_progress_bars=False,
            logging_level=logging.ERROR,
            tracker=_NoTracker(),
        )
        trainer.append_simulations(x, seen)
        network = trainer.train(
            training_batch_size=64, max_num_epochs=MAX_EPOCHS, force_first_round_loss=True
        )
        return trainer.summary["best_validation_loss"][-1], network


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
