# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters from levels of pixels, by an emulator of the renderer.

A regression of parameters on pictures must find out by itself which differences between pictures
have to do with which parameter. An emulator of the renderer does not: it is right wherever it was
taught, however the renders were chosen, and all the outputs it foresees count with the precision
that it foresees them with. It serves once renders are near the targets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
class Learned:
    """What an emulator leaves to the next one to begin with.

    Attributes
    ----------
    theta
        Its hyper-parameters; None if they are not known.
    sensitivity
        ``(K, K)``: the mean square by which a picture changes with parameters in internal units,
        over the variance of the targets' pictures.
    """

    theta: torch.Tensor | None
    sensitivity: torch.Tensor


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
    learned
        For the next one.
    """

    prediction: Prediction
    explained: float
    misfit: float
    learned: Learned


def predict(
    renders: Renders,
    targets: torch.Tensor,
    belief: Prediction,
    widest: torch.Tensor,
    starts: list[torch.Tensor],
    before: Learned | None,
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
    before
        What the emulator before learned.
    """
    spread = torch.minimum(belief.scale, widest)
    away = ((renders.x - belief.centre) / spread).pow(2).mean(1)
    kept = away.argsort()[:KEEP]
    outputs, seen = _components(renders.boxes[kept], targets)
    emulator = _taught(renders.x[kept], outputs, seen, belief, before)
    foresight = Foresight(emulator, outputs, (1.0 + away[kept] / NEAR**2).pow(-3.0))

    precision = 1.0 / (REACH * spread) ** 2
    alike = torch.cdist(renders.boxes, targets).topk(min(BEGINNINGS, len(renders)), 0, False)
    starts = [*starts, *renders.x[alike.indices]]
    found = _invert(foresight, seen, belief.centre, precision, starts)
    misfit = found.misfit
    # A target that is matched badly tells little.
    information = found.information / misfit.clamp(min=1.0)[:, None, None]
    covariance = torch.linalg.inv(information + torch.diag(precision))
    variance = covariance.diagonal(dim1=1, dim2=2)
    prediction = Prediction(
        found.x,
        covariance,
        belief.centre,
        1.0 / precision,
        torch.maximum(variance.mean(0).sqrt(), variance.max(0).values.sqrt() / 4.0),
        1.0 - variance.mean(0) * precision,
    )
    learned = Learned(emulator.theta, _sensitivity(emulator, found.x, seen))
    return Emulated(prediction, foresight.explained, misfit.median().item(), learned)


def _components(boxes: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the principal components of renders ``(n, C)`` and of targets ``(N, C)``."""
    rows = torch.cat((boxes, targets)) - boxes.mean(0)
    components = rows @ torch.linalg.svd(rows, full_matrices=False).Vh[:COMPONENTS].T
    return components[: len(boxes)], components[len(boxes) :]


def _taught(
    x: torch.Tensor,
    outputs: torch.Tensor,
    seen: torch.Tensor,
    belief: Prediction,
    before: Learned | None,
) -> Emulator:
    """Return an emulator of the renders; the first one is taught twice, to find its directions."""
    if before is None:
        emulator = Emulator(x, outputs)
        before = Learned(None, _sensitivity(emulator, belief.mean, seen))
    return Emulator(x, outputs, before.sensitivity, before.theta)


def _sensitivity(emulator: Emulator, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Return what :class:`Learned` calls so, of targets ``seen`` ``(N, C)`` at ``x`` ``(N, K)``."""
    jacobian = emulator.predict(x).jacobian
    differ = (seen - seen.mean(0)).pow(2).sum(1).mean()
    return torch.einsum("nck,ncl->kl", jacobian, jacobian) / (len(x) * differ)


class Foresight:
    """How well an emulator foresees renders that it was not taught.

    Parameters
    ----------
    outputs, weight
        ``(n, C)`` of the renders that taught it, and how much each counts here.

    Attributes
    ----------
    emulator
        With outputs turned and scaled so that their errors are independent and of variance 1 ...
    typical
        ... where its own variance is this.
    whiten
        ``(C, C)``: what turned them.
    explained
        See :class:`Emulated`.
    """

    def __init__(self, emulator: Emulator, outputs: torch.Tensor, weight: torch.Tensor):
        residual, variance = emulator.leave_one_out()
        share = (weight / weight.sum())[:, None]
        missed = (share * residual).T @ residual
        around = outputs - (share * outputs).sum(0)
        self.explained = 1.0 - (missed.trace() / (share * around**2).sum()).item()
        least = 1e-3 * torch.diag(missed.diagonal()) + 1e-12 * torch.eye(len(missed)).double()
        self.whiten = torch.linalg.inv(torch.linalg.cholesky(missed + least)).T
        self.typical = (share[:, 0] @ variance).item()
        self.emulator = emulator.in_axes(self.whiten)


def _invert(
    foresight: Foresight,
    seen: torch.Tensor,
    centre: torch.Tensor,
    precision: torch.Tensor,
    starts: list[torch.Tensor],
) -> Inversion:
    """Return the parameters of the targets, whose pictures may have noise that renders have not."""
    outputs = seen @ foresight.whiten
    none = torch.zeros(outputs.shape[1], dtype=outputs.dtype)
    inverter = Inverter(foresight.emulator, foresight.typical, none, centre, precision)
    found = _search(inverter, outputs, starts)
    # The median of a chi-squared variable with one degree of freedom is 0.455.
    extra = (found.residual.pow(2).median(0).values / 0.455 - 1.0).clamp(min=0.0)
    if (extra > 1.0).any():
        inverter = replace(inverter, extra=extra)
        found = _search(inverter, outputs, [found.x, *starts])
    return found


def _search(inverter: Inverter, outputs: torch.Tensor, starts: list[torch.Tensor]) -> Inversion:
    found = inverter(outputs, starts[0])
    for start in starts[1:]:
        found = found.better(inverter(outputs, start))
    return found
