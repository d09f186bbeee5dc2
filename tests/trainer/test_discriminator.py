# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
import torch
from torch import nn

from trainer.estimators.discriminator import Discriminator


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_every_size_gives_a_probability(size):
    network = Discriminator(size, generator=torch.Generator().manual_seed(0))
    out = network(torch.rand(3, 3, size, size) * 2 - 1)
    assert out.shape == (3,)
    assert ((out > 0) & (out < 1)).all()


def test_at_64_pixels_it_is_the_dcgan_of_the_reference():
    network = Discriminator(64)
    convolutions = [m for m in network.features if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [32, 64, 128, 256, 1]
    assert all(m.kernel_size == (4, 4) and m.bias is None for m in convolutions)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.features) == 4
    weights = torch.cat([m.weight.flatten() for m in convolutions])
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)


def test_the_same_generator_gives_the_same_weights():
    one, two = (Discriminator(32, generator=torch.Generator().manual_seed(5)) for _ in "ab")
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("size", [16, 48, 100])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match="power of two"):
        Discriminator(size)
