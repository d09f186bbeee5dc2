# SPDX-License-Identifier: GPL-3.0-or-later
"""The DCGAN discriminator of the reference method, for images of 32 to 256 pixels.

Architecture and initialisation: Radford, Metz & Chintala, *Unsupervised Representation Learning
with Deep Convolutional Generative Adversarial Networks*, arXiv 1511.06434.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn


class Discriminator(nn.Module):
    """Probability that an image is a target.

    Strided 4x4 convolutions halve the image until 4x4 remain; the channels double at each, from
    ``width`` up to ``8 * width``. At 64 px that is the reference's network.

    Parameters
    ----------
    size
        Width and height of the images: a power of two from 32.
    width
        Channels after the first convolution.
    generator
        Source of the initial weights.
    """

    def __init__(self, size: int, width: int = 32, generator: torch.Generator | None = None):
        super().__init__()
        stages = int(math.log2(size)) - 2
        if size != 4 << stages or stages < 3:
            raise ValueError(f"The discriminator needs a power of two from 32, not {size}.")
        channels = [3, *(width * min(2**stage, 8) for stage in range(stages))]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(channels):
            layers += [
                nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        layers += [nn.Conv2d(channels[-1], 1, 4, bias=False), nn.Sigmoid()]
        self.features = nn.Sequential(*layers)
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.02, generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.02, generator=generator)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return ``(N,)`` in (0, 1) for images ``(N, 3, size, size)`` in [-1, 1]."""
        return self.features(images).flatten()
