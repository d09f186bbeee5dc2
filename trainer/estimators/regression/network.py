# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters from pictures by a convolutional network, after a mismatch.

The network predicts a mean and a variance of every parameter (D. A. Nix & A. S. Weigend,
*Estimating the mean and variance of the target probability distribution*, 1994), trained with the
beta-NLL of Seitzer et al., *On the Pitfalls of Heteroscedastic Uncertainty Estimation*, arXiv
2203.09168, on renders whose augmentation is drawn anew for each batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .augmentation import augment, backgrounds, normalise
from .empirical_bayes import render_weights
from .renders import Prediction, Renders, moments

BATCH = 64
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2
BETA = 0.5
FIRST_STEPS = 600
STEPS = 250
"""Steps of gradient descent in each later training."""
WIDTH = 16


class Network:
    """Predicts parameters from pictures, and is trained further as renders come.

    Parameters
    ----------
    centre, unit
        ``(K,)`` float64: location and scale of the parameters.
    device
        Device of the training.
    generator
        CPU generator; the only source of randomness.
    check
        Called before each step of the training; may raise to end it.
    """

    def __init__(
        self,
        centre: torch.Tensor,
        unit: torch.Tensor,
        device: torch.device,
        generator: torch.Generator,
        check: Callable[[], None] = lambda: None,
    ):
        self.centre = centre
        self.unit = unit
        self.device = device
        self.generator = generator
        self.check = check
        self.layers = _layers(len(centre), generator).to(device)
        self.trained = False

    def predict(
        self, renders: Renders, targets: torch.Tensor, previous: Prediction | None, width: float
    ) -> Prediction:
        """Train on all renders and return the posterior of the targets' parameters.

        Parameters
        ----------
        targets
            ``(N, 3, T, T)`` uint8 thumbnails.
        previous
            The prediction that weights the renders (:func:`.empirical_bayes.render_weights`).
        width
            See :func:`.empirical_bayes.render_weights`.
        """
        weights = torch.ones(len(renders), dtype=torch.float64)
        if previous is not None:
            weights = render_weights(renders.x, previous, width).clamp(min=1e-3)
        self._train(renders, weights, STEPS if self.trained else FIRST_STEPS)
        self.trained = True
        with torch.no_grad():
            output = self.layers(normalise(targets.float() / 255.0).to(self.device))
        mean, log_variance = (part.double().cpu() for part in _split(output))
        mean = self.centre + self.unit * mean
        variance = self.unit**2 * log_variance.exp()
        prior_mean, prior_variance = moments(renders.x, weights)
        error = variance.mean(0).sqrt()
        explained = 1.0 - error**2 / prior_variance
        return Prediction(
            mean, torch.diag_embed(variance), prior_mean, prior_variance, error, explained
        )

    def _train(self, renders: Renders, weights: torch.Tensor, steps: int) -> None:
        levels = renders.pictures.float() / 255.0
        background = backgrounds(renders.pictures)
        y = ((renders.x - self.centre) / self.unit).float()
        optimizer = torch.optim.AdamW(
            self.layers.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        for step in range(steps):
            self.check()
            optimizer.param_groups[0]["lr"] = LEARNING_RATE * _schedule(step, steps)
            chosen = torch.multinomial(weights, BATCH, replacement=True, generator=self.generator)
            pictures = normalise(augment(levels[chosen], background[chosen], self.generator))
            output = self.layers(pictures.to(self.device))
            loss = _beta_nll(*_split(output), y[chosen].to(self.device))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.layers.parameters(), 5.0)
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Return all state."""
        return {"layers": dict(self.layers.state_dict()), "trained": self.trained}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of :meth:`state_dict`."""
        self.layers.load_state_dict(state["layers"])
        self.trained = state["trained"]


def _layers(count: int, generator: torch.Generator) -> nn.Sequential:
    """Return the network: ``(B, 3, T, T)`` to ``(B, 2 * count)``, for any ``T`` from 16."""
    seed = int(torch.randint(2**31, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, WIDTH, 5, stride=2, padding=2),
            nn.GELU(),
            nn.Conv2d(WIDTH, 2 * WIDTH, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(2 * WIDTH, 4 * WIDTH, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(4 * WIDTH, 4 * WIDTH, 3, stride=2, padding=1),
            nn.GELU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(4 * WIDTH * 16, 128),
            nn.GELU(),
            nn.Linear(128, 2 * count),
        )


def _split(output: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and logarithm of the variance, ``(B, K)`` each."""
    mean, log_variance = output.chunk(2, dim=1)
    return mean, log_variance.clamp(-8.0, 3.0)


def _beta_nll(mean: torch.Tensor, log_variance: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the loss: equation 5 of Seitzer et al."""
    each = 0.5 * ((mean - y) ** 2 * (-log_variance).exp() + log_variance)
    return (each * (BETA * log_variance).exp().detach()).mean()


def _schedule(step: int, steps: int) -> float:
    """Return the factor of the learning rate: a rise over a tenth of the steps, then a cosine."""
    done = step / steps
    return min(1.0, 0.1 + done / 0.1) * (0.02 + 0.49 * (1.0 + math.cos(math.pi * done)))
