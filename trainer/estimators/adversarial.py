# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference method: an adversarial loss and its score-function gradient.

A discriminator ``D`` learns to tell targets (label 1) from renders (label 0). The model minimises
``E[f(G(x))]``, ``x ~ p(x | psi)``, where ``f = -log D`` is the discriminator's loss with the label
of a target. The renderer ``G`` has no gradient, but the expectation has one (Williams 1992,
REINFORCE)::

    grad_psi E[f(G(x))] = E[(f(G(x)) - b) grad_psi log p(x | psi)]

for any baseline ``b`` that does not depend on the samples.

Sources: C. Heindl's ``densityopt`` example of blendtorch (2020), whose settings are the defaults
here; Louppe, Hermans & Cranmer, *Adversarial Variational Optimization of Non-Differentiable
Simulators*, arXiv 1707.07113.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from gdr_core.errors import BadSettings, GdrError

from .base import Estimator, StepReport
from .discriminator import Discriminator
from .probability_model import ProbabilityModel

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AdversarialOptions:
    """Settings of the reference method.

    Attributes
    ----------
    d_lr, d_beta1, d_beta2
        Adam settings of the discriminator.
    s_lr, s_beta1, s_beta2
        Adam settings of the probability model.
    gap
        The gate: the discriminator steps while ``mean D(real) - mean D(sim)`` is below it, the
        model starts stepping once it was first reached.
    baseline
        The baseline before the first step.
    baseline_weight
        Weight of the newest batch in the exponential baseline.
    width
        Channels after the discriminator's first convolution.
    """

    d_lr: float = 5e-5
    d_beta1: float = 0.5
    d_beta2: float = 0.999
    s_lr: float = 5e-2
    s_beta1: float = 0.7
    s_beta2: float = 0.999
    gap: float = 0.7
    baseline: float = 0.7
    baseline_weight: float = 0.9
    width: int = 32

    def __post_init__(self) -> None:
        for names, good, what in (
            (("d_lr", "s_lr"), lambda x: 0 < x < math.inf, "a number above zero"),
            (("d_beta1", "d_beta2", "s_beta1", "s_beta2"), lambda x: 0 <= x < 1, "0 to below 1"),
            (("baseline_weight",), lambda x: 0 <= x <= 1, "0 to 1"),
            (("gap", "baseline"), math.isfinite, "a finite number"),
            (("width",), lambda x: 1 <= x <= 1024, "1 to 1024"),
        ):
            for name in names:
                if not good(getattr(self, name)):
                    raise BadSettings(f"The option {name} is {getattr(self, name)}; give {what}.")


class Adversarial(Estimator):
    """The reference method, as described above."""

    Options = AdversarialOptions

    def __init__(
        self,
        model: ProbabilityModel,
        targets: np.ndarray,
        batch: int,
        device: torch.device,
        generator: torch.Generator,
        options: AdversarialOptions,
    ):
        self.model = model
        self.options = options
        self.batch = batch
        self.device = device
        self.generator = generator
        self.targets = _to_tensor(targets, device)
        self.discriminator = Discriminator(targets.shape[1], options.width, generator).to(device)
        self.d_optimizer = torch.optim.Adam(
            self.discriminator.parameters(),
            lr=options.d_lr,
            betas=(options.d_beta1, options.d_beta2),
        )
        self.s_optimizer = torch.optim.Adam(
            model.parameters(), lr=options.s_lr, betas=(options.s_beta1, options.s_beta2)
        )
        self.loss = nn.BCELoss(reduction="none")
        self.baseline = options.baseline
        self.model_moves = False
        self.epoch = torch.empty(0, dtype=torch.long)

    def propose(self) -> torch.Tensor:
        return self.model.sample(self.batch, self.generator)

    def update(self, x: torch.Tensor, images: np.ndarray) -> StepReport:
        sim = _to_tensor(images, self.device)
        d_real, d_sim = self._step_discriminator(self._next_targets(), sim)
        if self.model_moves or d_real - d_sim >= self.options.gap:
            self._step_model(x, sim)
        return StepReport(d_real, d_sim)

    def _step_discriminator(self, real: torch.Tensor, sim: torch.Tensor) -> tuple[float, float]:
        self.d_optimizer.zero_grad()
        out_real = self.discriminator(real)
        d_real = _finite(out_real.mean().item())
        self.loss(out_real, torch.ones_like(out_real)).mean().backward()
        out_sim = self.discriminator(sim)
        d_sim = _finite(out_sim.mean().item())
        self.loss(out_sim, torch.zeros_like(out_sim)).mean().backward()
        if d_real - d_sim < self.options.gap:
            self.d_optimizer.step()
            log.info("D step: mean real %s mean sim %s", d_real, d_sim)
        return d_real, d_sim

    def _step_model(self, x: torch.Tensor, sim: torch.Tensor) -> None:
        with torch.no_grad():
            out = self.discriminator(sim)
            sim_mean = _finite(out.mean().item())
            cost = self.loss(out, torch.ones_like(out)).cpu()
        self.s_optimizer.zero_grad()
        (self.model.log_prob(x) * (cost - self.baseline)).mean().backward()
        self.s_optimizer.step()
        newest = cost.mean().item()
        if self.model_moves:
            weight = self.options.baseline_weight
            self.baseline = weight * newest + (1.0 - weight) * self.baseline
        else:
            self.baseline = newest
            self.model_moves = True
        log.info(
            "S step: %s %s mean sim %s",
            self.model.mean.detach().numpy(),
            self.model.std.detach().numpy(),
            sim_mean,
        )

    def _next_targets(self) -> torch.Tensor:
        """Return the next targets of a reshuffled pass: a batch, or all if there are fewer."""
        n = min(self.batch, len(self.targets))
        while len(self.epoch) < n:
            order = torch.randperm(len(self.targets), generator=self.generator)
            self.epoch = torch.cat((self.epoch, order))
        chosen, self.epoch = self.epoch[:n], self.epoch[n:]
        return self.targets[chosen.to(self.device)]

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": dict(self.model.state_dict()),
            "discriminator": dict(self.discriminator.state_dict()),
            "d_optimizer": self.d_optimizer.state_dict(),
            "s_optimizer": self.s_optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "epoch": self.epoch,
            "baseline": self.baseline,
            "model_moves": self.model_moves,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.d_optimizer.load_state_dict(state["d_optimizer"])
        self.s_optimizer.load_state_dict(state["s_optimizer"])
        self.generator.set_state(state["generator"])
        self.epoch = state["epoch"]
        self.baseline = state["baseline"]
        self.model_moves = state["model_moves"]


def _finite(mean: float) -> float:
    """Return the discriminator's mean output, or raise :class:`GdrError` unless it is finite."""
    if not math.isfinite(mean):
        raise GdrError(
            "The discriminator diverged: its output is no number. Make the option d_lr smaller."
        )
    return mean


def _to_tensor(images: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return ``(N, S, S, 3)`` uint8 as ``(N, 3, S, S)`` float32 in [-1, 1]."""
    tensor = torch.from_numpy(np.ascontiguousarray(images)).to(device)
    return (tensor.permute(0, 3, 1, 2).float() - 127.5) / 127.5
