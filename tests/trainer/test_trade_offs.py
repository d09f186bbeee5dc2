# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
import torch

from trainer.estimators.regression import trade_offs

NAMES = ("m1", "n1_1", "n2_1", "n1_2", "n2_2")


def sensitivity(*directions):
    """Return the sensitivity of pictures to each ``(size, direction)``."""
    total = torch.zeros(5, 5).double()
    for size, direction in directions:
        unit = torch.tensor(direction).double()
        unit = unit / unit.norm()
        total += size**2 * torch.outer(unit, unit)
    return total


ALL = [
    (0.8, [1, 0, 0, 0, 0]),
    (0.6, [0, 1, -1, 0, 0]),
    (0.10, [0, 1, 1, 0, 0]),
    (0.5, [0, 0, 0, 1, 2]),
    (0.10, [0, 0, 0, 2, -1]),
]


def test_exchangeable_parameters_are_grouped():
    first, second = trade_offs.find(NAMES, sensitivity(*ALL), torch.ones(5).double())
    assert first.direction == pytest.approx({"n1_1": 0.5**0.5, "n2_1": 0.5**0.5})
    assert second.direction == pytest.approx({"n1_2": 0.8**0.5, "n2_2": -(0.2**0.5)})
    assert (first.change, second.change) == pytest.approx((0.1, 0.1))


def test_spreads_are_the_unit():
    std = torch.tensor([1.0, 2.0, 2.0, 1.0, 1.0]).double()
    (trade_off,) = trade_offs.find(NAMES, sensitivity(*ALL), std)
    assert set(trade_off.direction) == {"n1_2", "n2_2"}


def test_visible_directions_are_no_trade_off():
    clear = [(size if size > 0.2 else 0.3, direction) for size, direction in ALL]
    assert trade_offs.find(NAMES, sensitivity(*clear), torch.ones(5).double()) == ()


def test_a_weak_parameter_alone_is_no_trade_off():
    weak = [ALL[0], ALL[1], (0.5, ALL[2][1]), ALL[3], (0.4, ALL[4][1])]
    weak[0] = (0.05, ALL[0][1])
    assert trade_offs.find(NAMES, sensitivity(*weak), torch.ones(5).double()) == ()


def test_two_weak_parameters_are_none_either():
    dim = sensitivity(
        (0.1, [1, 0, 0, 0, 0]), (0.1, [0, 1, 0, 0, 0]), *ALL[3:4], (0.5, [0, 0, 0, 2, -1])
    )
    dim += sensitivity((0.7, [0, 0, 1, 0, 0]))
    assert trade_offs.find(NAMES, dim, torch.ones(5).double()) == ()
