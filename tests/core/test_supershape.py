# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import supershape

from gdr_core.errors import BadSettings
from gdr_core.supershape import parameters, superformula
from gdr_core.supershape.view import reference_camera


def test_columns_are_the_layout_of_the_supershape_package():
    values = parameters.from_values({"m1": 7.0, "n3_1": 1.7, "n2_2": 0.5})
    pair = values.reshape(2, 6)
    assert pair[0].tolist() == pytest.approx([7, 1, 1, 3, 3, 1.7])
    assert pair[1].tolist() == pytest.approx([0, 1, 1, 3, 0.5, 3])


def test_an_unknown_parameter_is_named_with_those_there_are():
    with pytest.raises(BadSettings, match=r"no parameter 'm3'.*m1, a1, b1"):
        parameters.from_values({"m3": 1.0})


def test_surfaces_agree_with_the_supershape_package():
    rng = np.random.default_rng(0)
    low, high = np.array([0.0, 0.5, 0.5, 1, 0.5, 0.5]), np.array([12.0, 2, 2, 10, 10, 10])
    batch = rng.uniform(low, high, size=(40, 2, 6)).reshape(40, 12)
    ours = superformula.surface(batch, (37, 23))
    for shape, points in zip(batch, ours, strict=True):
        x, y, z = supershape.supercoords(shape.reshape(2, 6), shape=(37, 23))
        np.testing.assert_allclose(points, np.stack((x, y, z), -1), rtol=2e-5, atol=2e-6)


def test_a_shape_that_blows_up_does_not_touch_its_neighbours():
    good = parameters.from_values({"m1": 5.0, "m2": 3.0})
    bad = parameters.from_values({"m1": 4.0, "n1_1": 0.0})
    alone = superformula.surface(good[None])
    together = superformula.surface(np.stack((good, bad, good)))
    np.testing.assert_array_equal(alone[0], together[0])
    np.testing.assert_array_equal(alone[0], together[2])


def test_the_reference_camera_sees_the_origin_in_the_middle():
    view, projection = reference_camera().arrays()
    centre = projection @ view @ np.array([0, 0, 0, 1.0])
    np.testing.assert_allclose(centre[:2] / centre[3], 0, atol=1e-12)
    up = projection @ view @ np.array([0, 0, 1, 1.0])
    assert up[1] / up[3] > 0
    # 150 mm on a 36 mm sensor, from 11.26 m: a metre to the side is 150 / 18 / distance.
    right = np.linalg.inv(view)[:3, 0]
    side = projection @ view @ np.array([*right, 1.0])
    distance = np.linalg.norm([7.3589, -6.9258, 4.9583])
    assert side[0] / side[3] == pytest.approx(150 / 18 / distance)
