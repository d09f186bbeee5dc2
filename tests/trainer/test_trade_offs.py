# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
import torch

from trainer.estimators.regression import trade_offs

NAMES = ("m1", "n1_1", "n2_1", "n1_2", "n2_2")


def seen(*directions):
    """The sensitivity of pictures that change by ``size`` along each ``(size, direction)``."""
    total = torch.zeros(5, 5).double()
    for size, way in directions:
        way = torch.tensor(way).double()
        way = way / way.norm()
        total += size**2 * torch.outer(way, way)
    return total


ALL = [
    (0.8, [1, 0, 0, 0, 0]),
    (0.6, [0, 1, -1, 0, 0]),
    (0.10, [0, 1, 1, 0, 0]),
    (0.5, [0, 0, 0, 1, 2]),
    (0.10, [0, 0, 0, 2, -1]),
]


def test_parameters_that_compensate_each_other_are_found_by_group():
    first, second = trade_offs.find(NAMES, seen(*ALL), torch.ones(5).double())
    assert first.direction == pytest.approx({"n1_1": 0.5**0.5, "n2_1": 0.5**0.5})
    assert second.direction == pytest.approx({"n1_2": 0.8**0.5, "n2_2": -(0.2**0.5)})
    assert (first.change, second.change) == pytest.approx((0.1, 0.1))


def test_spreads_are_the_unit():
    std = torch.tensor([1.0, 2.0, 2.0, 1.0, 1.0]).double()
    (found,) = trade_offs.find(NAMES, seen(*ALL), std)
    assert set(found.direction) == {"n1_2", "n2_2"}


def test_what_pictures_show_is_no_trade_off():
    clear = [(size if size > 0.2 else 0.3, way) for size, way in ALL]
    assert trade_offs.find(NAMES, seen(*clear), torch.ones(5).double()) == ()


def test_a_weak_parameter_alone_is_no_trade_off():
    weak = [ALL[0], ALL[1], (0.5, ALL[2][1]), ALL[3], (0.4, ALL[4][1])]
    weak[0] = (0.05, ALL[0][1])
    assert trade_offs.find(NAMES, seen(*weak), torch.ones(5).double()) == ()


def test_two_weak_parameters_are_none_either():
    dim = seen((0.1, [1, 0, 0, 0, 0]), (0.1, [0, 1, 0, 0, 0]), *ALL[3:4], (0.5, [0, 0, 0, 2, -1]))
    dim += seen((0.7, [0, 0, 1, 0, 0]))
    assert trade_offs.find(NAMES, dim, torch.ones(5).double()) == ()
