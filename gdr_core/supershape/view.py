# SPDX-License-Identifier: GPL-3.0-or-later
"""The view that the reference method has on a supershape."""

from __future__ import annotations

from ..camera import SENSOR_MM, Camera, look_at, perspective

LOCATION = (7.3589, -6.9258, 4.9583)
"""Where the camera stands (blendtorch ``densityopt``, ``supershape.blend``), in metres."""
LENS_MM = 150.0


def reference_camera() -> Camera:
    """Return the reference method's camera: 150 mm, looking at the origin, square frame."""
    return Camera.from_matrices(
        look_at(LOCATION, (0.0, 0.0, 0.0)), perspective(LENS_MM, SENSOR_MM, 0.1, 100.0)
    )
