# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gdr_core.errors import BadSettings
from gdr_core.families import FAMILIES, FIELDS, SMOOTH_FAMILIES, Distribution


def of(family: str, mean: float = 0.0, std: float = 0.4) -> Distribution:
    return Distribution(family=family, mean=mean, std=std, low=-1.0, high=4.0)


@given(st.sampled_from(SMOOTH_FAMILIES), st.floats(-3, 3), st.floats(0.01, 1.5), st.floats(-2, 2))
def test_values_and_internal_units_are_inverse(family, mean, std, x):
    d = of(family, mean, std)
    assert d.to_internal(d.to_value(x)) == pytest.approx(x, abs=1e-6)
    low, middle, high = d.readable()
    assert low < middle < high


@pytest.mark.parametrize("family", SMOOTH_FAMILIES)
def test_maps_are_those_of_torch_and_take_arrays_of_any_shape(family):
    x = np.linspace(-4, 4, 24).reshape(2, 3, 4)
    t = torch.from_numpy(x)
    expected = {"lognormal": t.exp(), "normal": t, "bounded": -1.0 + 5.0 * torch.sigmoid(t)}[family]
    values = of(family).to_value(x)
    np.testing.assert_allclose(values, expected.numpy(), rtol=1e-12)
    np.testing.assert_allclose(of(family).to_internal(values), x, atol=1e-9)
    assert isinstance(of(family).to_value(0.5), float)


@pytest.mark.parametrize("family", SMOOTH_FAMILIES)
def test_far_ends_stay_numbers(family):
    values = of(family).to_value(np.array([-1e4, 1e4]))
    assert np.isfinite(values).all()
    if family == "bounded":
        assert (np.array([-1.0, 4.0]) != values).all()


@pytest.mark.parametrize(("family", "value"), [("lognormal", 0.0), ("bounded", 4.0)])
def test_values_outside_the_support_get_a_sentence(family, value):
    with pytest.raises(BadSettings, match=r"cannot be .*\."):
        of(family).to_internal(np.array([1.0, value]))


@pytest.mark.parametrize("family", [f for f in FAMILIES if f != "categorical"])
def test_quantiles_are_those_of_the_distribution(family):
    share = (np.arange(2000) + 0.5) / 2000
    values = of(family, 0.3, 0.5).quantile(share)
    assert (np.diff(values) > 0).all()
    if family == "uniform":
        np.testing.assert_allclose([values.min(), values.max()], [-1.0, 4.0], atol=0.01)
        np.testing.assert_allclose(values.mean(), 1.5)
    else:
        x = of(family, 0.3, 0.5).to_internal(values)
        np.testing.assert_allclose([x.mean(), x.std()], [0.3, 0.5], atol=2e-3)


def test_every_family_says_which_fields_mean_something():
    assert set(FIELDS) == set(FAMILIES)
    assert {f for fields in FIELDS.values() for f in fields} == set(Distribution.__struct_fields__)
