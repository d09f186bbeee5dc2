# SPDX-License-Identifier: GPL-3.0-or-later
"""Random changes of pictures as by another camera, and a normalisation that undoes simple ones.

This is domain randomization of the pictures themselves (Tobin et al., *Domain Randomization for
Transferring Deep Neural Networks from Simulation to the Real World*, arXiv 1703.06907): a network
that is trained under random exposures, backgrounds and framings learns to ignore them.
"""

from __future__ import annotations

import torch
from torch.nn import functional

GAIN = 0.25
"""Spread of the logarithm of each of five smooth fields that brighten parts of a picture."""
TINT = 0.1
"""The same for each of six fields in one channel, of which the first is constant: lights have
colours, and cameras balance white. With it, the first seeds of ``light``, ``background`` and
``all`` of ``benchmarks/convergence`` arrived after 890, 420 and 440 renders; before pictures had
colours, the medians were 720, 420 and 945."""
GAMMA = 0.5
"""Spread of the logarithm of the exposure's power."""
DARKER = 0.3
"""Spread of the logarithm by which a picture is darkened."""
SHIFT = 0.1
"""Largest shift, over half the picture's side."""
NOISE = 0.05
"""Largest standard deviation of the noise of a level, 0 to 1."""


def backgrounds(pictures: torch.Tensor) -> torch.Tensor:
    """Return the background of ``(N, 3, T, T)`` uint8 pictures: their border's median colour.

    Returns
    -------
    torch.Tensor
        ``(N, 1, T, T)`` bool.
    """
    levels = pictures.to(torch.int16)
    sides = (levels[:, :, 0], levels[:, :, -1], levels[..., 0], levels[..., -1])
    colour = torch.cat(sides, 2).median(2).values
    return ((levels - colour[..., None, None]).abs() <= 1).all(1, keepdim=True)


def augment(
    levels: torch.Tensor, background: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Return randomly changed pictures ``(N, 3, T, T)`` float32.

    Parameters
    ----------
    levels
        ``(N, 3, T, T)`` float32, 0 to 1.
    background
        ``(N, 1, T, T)`` bool, of :func:`backgrounds`.
    generator
        CPU generator.
    """
    draw = _Draws(len(levels), generator)
    out = levels * _gain(levels.shape[-1], draw)
    # From grey to any colour.
    grey, colour = (0.02 + 0.88 * draw.uniform(n, 1, 1) for n in (1, 3))
    plain = grey + draw.uniform() * (colour - grey)
    other = torch.where(draw.uniform() < 0.8, plain, levels)
    out = torch.where(background, other, out)
    out = out.clamp(1e-3, 1.0) ** (GAMMA * draw.normal()).exp()
    out = out * (-DARKER * draw.normal().abs()).exp()
    out = _blurred(_shifted(out, draw), draw)
    return out + NOISE * draw.uniform() * torch.randn(out.shape, generator=generator)


def normalise(levels: torch.Tensor) -> torch.Tensor:
    """Return the logarithm of levels ``(N, 3, T, T)``, each picture with mean 0 and spread 1.

    Mean and spread are those of all channels together, which keeps the colours.
    """
    logarithm = (levels.clamp(0.0, 1.0) + 0.05).log()
    mean = logarithm.mean((1, 2, 3), keepdim=True)
    spread = logarithm.std((1, 2, 3), keepdim=True)
    return (logarithm - mean) / (spread + 0.02)


class _Draws:
    """Random numbers for a batch; by default one for each picture, ``(N, 1, 1, 1)``."""

    def __init__(self, count: int, generator: torch.Generator):
        self.count = count
        self.generator = generator

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(self.count, *(shape or (1, 1, 1)), generator=self.generator)

    def uniform(self, *shape: int) -> torch.Tensor:
        return torch.rand(self.count, *(shape or (1, 1, 1)), generator=self.generator)


def _gain(side: int, draw: _Draws) -> torch.Tensor:
    """Return smooth positive fields ``(N, 3, T, T)``: exponentials of quadratic polynomials."""
    axis = torch.linspace(-1.0, 1.0, side)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    fields = torch.stack((torch.ones_like(x), x, y, x * y, x**2 - 1 / 3, y**2 - 1 / 3))
    factors = TINT * draw.normal(3, 6)
    factors[..., 1:] += GAIN * draw.normal(1, 5)
    return torch.einsum("nck,kij->ncij", factors, fields).exp()


def _shifted(levels: torch.Tensor, draw: _Draws) -> torch.Tensor:
    """Return each picture shifted at random, with its border repeated."""
    placed = torch.zeros(len(levels), 2, 3)
    placed[:, 0, 0] = placed[:, 1, 1] = 1.0
    placed[:, :, 2] = SHIFT * (2.0 * draw.uniform(2) - 1.0)
    grid = functional.affine_grid(placed, list(levels.shape), align_corners=False)
    return functional.grid_sample(levels, grid, padding_mode="border", align_corners=False)


def _blurred(levels: torch.Tensor, draw: _Draws) -> torch.Tensor:
    """Return each picture mixed with its 3x3 mean, by a random share up to a half."""
    padded = functional.pad(levels, (1, 1, 1, 1), mode="replicate")
    share = 0.5 * draw.uniform()
    return (1.0 - share) * levels + share * functional.avg_pool2d(padded, 3, stride=1)
