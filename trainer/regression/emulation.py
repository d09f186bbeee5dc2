# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters from levels of pixels, by an emulator of the renderer.

A regression of parameters on pictures must find out by itself which differences between pictures
have to do with which parameter. An emulator of the renderer does not: it is right wherever it was
taught, however the renders were chosen, and all the outputs it foresees count with the precision
that it foresees them with. It serves once renders are near the targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .emulator import Emulator
from .inversion import Inversion, Inverter
from .renders import Prediction, Renders

COMPONENTS = 48
KEEP = 600
"""Renders that teach the emulator, at most: those nearest to what is believed of the targets."""
REACH = 3.0
"""Standard deviation of the prior, in spreads of what is believed."""
NEAR = 2.0
"""Within about so many of those spreads renders tell how well the emulator foresees them."""
BEGINNINGS = 3
"""Renders most like a target that its parameters are looked for from."""


@dataclass(frozen=True)
class Emulated:
    """What an emulator says of the targets.

    Attributes
    ----------
    prediction
        Their parameters.
    explained
        Share of the variance of pictures near the targets that the emulator foresees.
    misfit
        Median over the targets of how badly the picture is matched; about 1 where as well as
        renders are foreseen.
    sensitivity
        ``(K, K)``: the mean square by which a picture changes with parameters in internal units,
        over the variance of the targets' pictures.
    theta
        The emulator's hyper-parameters, for the next one to begin at.
    """

    prediction: Prediction
    explained: float
    misfit: float
    sensitivity: torch.Tensor
    theta: torch.Tensor


def predict(
    renders: Renders,
    targets: torch.Tensor,
    belief: Prediction,
    widest: torch.Tensor,
    starts: list[torch.Tensor],
    theta: torch.Tensor | None,
) -> Emulated:
    """Read the parameters of targets ``(N, F)`` off their boxes.

    Parameters
    ----------
    belief
        What was believed of them.
    widest
        ``(K,)``: spreads that are taken for no wider.
    starts
        Parameters ``(N, K)`` each to begin at, besides those of the renders most alike.
    theta
        Of the emulator before.
    """
    centre, spread = belief.centre, torch.minimum(belief.scale, widest)
    away = ((renders.x - centre) / spread).pow(2).mean(1)
    kept = away.argsort()[:KEEP]
    x, boxes = renders.x[kept], renders.boxes[kept]
    offset = boxes.mean(0)
    rows = torch.cat((boxes, targets)) - offset
    axes = torch.linalg.svd(rows, full_matrices=False).Vh[:COMPONENTS].T
    known, seen = rows[: len(x)] @ axes, rows[len(x) :] @ axes
    emulator = Emulator(x, known, theta)

    weight = (1.0 + away[kept] / NEAR**2).pow(-3.0)
    residual, variance = emulator.leave_one_out()
    missed = (weight[:, None] * residual).T @ residual / weight.sum()
    around = known - (weight[:, None] * known).sum(0) / weight.sum()
    whole = (weight[:, None] * around**2).sum() / weight.sum()
    explained = 1.0 - (missed.trace() / whole).item()
    missed = missed + 1e-3 * torch.diag(missed.diagonal()) + 1e-12 * torch.eye(len(missed)).double()
    whiten = torch.linalg.inv(torch.linalg.cholesky(missed)).T
    typical = ((weight * variance).sum() / weight.sum()).item()

    turned, outputs = emulator.in_axes(whiten), seen @ whiten
    precision = 1.0 / (REACH * spread) ** 2
    alike = torch.cdist(renders.boxes, targets).topk(min(BEGINNINGS, len(renders)), 0, False)
    starts = [*starts, *renders.x[alike.indices]]
    inverter = Inverter(turned, typical, torch.zeros(len(whiten)).double(), centre, precision)
    found = _search(inverter, outputs, starts)
    # Noise of the targets that renders do not have.
    extra = (found.residual.pow(2).median(0).values / 0.455 - 1.0).clamp(min=0.0)
    if (extra > 1.0).any():
        inverter = Inverter(turned, typical, extra, centre, precision)
        found = _search(inverter, outputs, [found.x, *starts])
    misfit = found.misfit
    # A target that is matched badly tells little.
    information = found.information / misfit.clamp(min=1.0)[:, None, None]
    covariance = torch.linalg.inv(information + torch.diag(precision))
    variance = covariance.diagonal(dim1=1, dim2=2)
    own = emulator.predict(found.x).jacobian
    differ = (seen - seen.mean(0)).pow(2).sum(1).mean()
    sensitivity = torch.einsum("nck,ncl->kl", own, own) / (len(own) * differ)
    prediction = Prediction(
        found.x,
        covariance,
        centre,
        1.0 / precision,
        torch.maximum(variance.mean(0).sqrt(), variance.max(0).values.sqrt() / 4.0),
        1.0 - variance.mean(0) * precision,
    )
    return Emulated(prediction, explained, misfit.median().item(), sensitivity, emulator.theta)


def _search(inverter: Inverter, outputs: torch.Tensor, starts: list[torch.Tensor]) -> Inversion:
    found = inverter(outputs, starts[0])
    for start in starts[1:]:
        found = found.better(inverter(outputs, start))
    return found
