# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters from features, by inverting an emulator of the renderer.

A regression of parameters on pictures must learn which differences between pictures depend on which
parameter. An emulator need not: it is accurate near its training renders, whatever their
distribution, and each output counts with the precision of its prediction. It serves once renders
are near the targets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from .emulator import Emulator
from .inversion import Inversion, Inverter
from .renders import Prediction, Renders

COMPONENTS = 48
KEEP = 600
"""Training renders of the emulator, at most: those nearest to the initial predictions."""
PRIOR_WIDTH = 3.0
"""Standard deviation of the prior, in spreads of the initial predictions."""
VALIDATION_WIDTH = 2.0
"""Renders within about so many of those spreads count in the validation of the emulator."""
STARTS = 3
"""Renders nearest to a target from which its inversion starts."""


@dataclass(frozen=True)
class WarmStart:
    """State from which the next emulator starts.

    Attributes
    ----------
    theta
        Its hyper-parameters; None if they are not known.
    sensitivity
        ``(K, K)``, see :class:`.reader.Reader`.
    """

    theta: torch.Tensor | None
    sensitivity: torch.Tensor


@dataclass(frozen=True)
class EmulationResult:
    """The targets' parameters by an emulator, and how good it is.

    Attributes
    ----------
    prediction
        The posterior of the parameters.
    explained
        Share of the variance of pictures near the targets that the emulator explains.
    misfit
        Median misfit of the targets (:attr:`.Inversion.misfit`); about 1 is expected.
    warm_start
        State for the next emulator.
    """

    prediction: Prediction
    explained: float
    misfit: float
    warm_start: WarmStart


def predict(
    renders: Renders,
    targets: torch.Tensor,
    initial: Prediction,
    max_spread: torch.Tensor,
    starts: list[torch.Tensor],
    warm_start: WarmStart | None,
) -> EmulationResult:
    """Train an emulator and return the posterior of the targets' parameters.

    Parameters
    ----------
    targets
        Features ``(N, F)``.
    initial
        An earlier prediction, for the prior and the choice of renders.
    max_spread
        ``(K,)``: upper bound of its spreads.
    starts
        Parameters ``(N, K)`` each to start at, besides those of the nearest renders.
    warm_start
        State of the previous emulator.
    """
    spread = torch.minimum(initial.scale, max_spread)
    distance = ((renders.x - initial.centre) / spread).pow(2).mean(1)
    kept = distance.argsort()[:KEEP]
    outputs, target_outputs = _components(renders.features[kept], targets)
    emulator = _train(renders.x[kept], outputs, target_outputs, initial, warm_start)
    weight = (1.0 + distance[kept] / VALIDATION_WIDTH**2).pow(-3.0)
    errors = ErrorModel(emulator, outputs, weight)

    precision = 1.0 / (PRIOR_WIDTH * spread) ** 2
    nearest = torch.cdist(renders.features, targets).topk(min(STARTS, len(renders)), 0, False)
    starts = [*starts, *renders.x[nearest.indices]]
    inversion = _invert(errors, target_outputs, initial.centre, precision, starts)
    misfit = inversion.misfit
    # A target with a large misfit has errors larger than expected, by that factor.
    information = inversion.information / misfit.clamp(min=1.0)[:, None, None]
    covariance = torch.linalg.inv(information + torch.diag(precision))
    variance = covariance.diagonal(dim1=1, dim2=2)
    prediction = Prediction(
        inversion.x,
        covariance,
        initial.centre,
        1.0 / precision,
        torch.maximum(variance.mean(0).sqrt(), variance.max(0).values.sqrt() / 4.0),
        1.0 - variance.mean(0) * precision,
    )
    sensitivity = _sensitivity(emulator, inversion.x, target_outputs)
    return EmulationResult(
        prediction,
        errors.explained,
        misfit.median().item(),
        WarmStart(emulator.theta, sensitivity),
    )


def _components(features: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the principal components of renders ``(n, C)`` and of targets ``(N, C)``."""
    rows = torch.cat((features, targets)) - features.mean(0)
    components = rows @ torch.linalg.svd(rows, full_matrices=False).Vh[:COMPONENTS].T
    return components[: len(features)], components[len(features) :]


def _train(
    x: torch.Tensor,
    outputs: torch.Tensor,
    target_outputs: torch.Tensor,
    initial: Prediction,
    warm_start: WarmStart | None,
) -> Emulator:
    """Return an emulator; the first one is trained twice, to find its directions."""
    if warm_start is None:
        emulator = Emulator(x, outputs)
        warm_start = WarmStart(None, _sensitivity(emulator, initial.mean, target_outputs))
    return Emulator(x, outputs, warm_start.sensitivity, warm_start.theta)


def _sensitivity(emulator: Emulator, x: torch.Tensor, target_outputs: torch.Tensor) -> torch.Tensor:
    """Return the sensitivity (:class:`.reader.Reader`) at parameters ``(N, K)`` of targets."""
    jacobian = emulator.predict(x).jacobian
    variance = (target_outputs - target_outputs.mean(0)).pow(2).sum(1).mean()
    return torch.einsum("nck,ncl->kl", jacobian, jacobian) / (len(x) * variance)


class ErrorModel:
    """The errors of an emulator, from its leave-one-out residuals.

    Parameters
    ----------
    outputs, weight
        ``(n, C)`` and ``(n,)``: outputs of the training renders, and their weight here.

    Attributes
    ----------
    emulator
        The same emulator, with outputs rotated and scaled so that their errors are independent and
        have variance 1 where the emulator's own variance is ...
    typical_variance
        ... this.
    whiten
        ``(C, C)``: that rotation and scale.
    explained
        See :class:`EmulationResult`.
    """

    def __init__(self, emulator: Emulator, outputs: torch.Tensor, weight: torch.Tensor):
        residual, variance = emulator.leave_one_out()
        share = (weight / weight.sum())[:, None]
        errors = (share * residual).T @ residual
        centred = outputs - (share * outputs).sum(0)
        self.explained = 1.0 - (errors.trace() / (share * centred**2).sum()).item()
        least = 1e-3 * torch.diag(errors.diagonal()) + 1e-12 * torch.eye(len(errors)).double()
        self.whiten = torch.linalg.inv(torch.linalg.cholesky(errors + least)).T
        self.typical_variance = (share[:, 0] @ variance).item()
        self.emulator = emulator.in_axes(self.whiten)


def _invert(
    errors: ErrorModel,
    target_outputs: torch.Tensor,
    centre: torch.Tensor,
    precision: torch.Tensor,
    starts: list[torch.Tensor],
) -> Inversion:
    """Return the targets' parameters, allowing for noise of the targets that renders lack."""
    outputs = target_outputs @ errors.whiten
    no_noise = torch.zeros(outputs.shape[1], dtype=outputs.dtype)
    inverter = Inverter(errors.emulator, errors.typical_variance, no_noise, centre, precision)
    inversion = _best(inverter, outputs, starts)
    # The median of a chi-squared variable with one degree of freedom is 0.455.
    noise = (inversion.residual.pow(2).median(0).values / 0.455 - 1.0).clamp(min=0.0)
    if (noise > 1.0).any():
        inverter = replace(inverter, noise=noise)
        inversion = _best(inverter, outputs, [inversion.x, *starts])
    return inversion


def _best(inverter: Inverter, outputs: torch.Tensor, starts: list[torch.Tensor]) -> Inversion:
    """Return the most probable of the inversions from all starts."""
    best = inverter(outputs, starts[0])
    for start in starts[1:]:
        best = best.better(inverter(outputs, start))
    return best
