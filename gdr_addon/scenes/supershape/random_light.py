# SPDX-License-Identifier: GPL-3.0-or-later
"""A studio whose lights are drawn at random, from a number.

An estimator that is shown each shape in another light learns what does not depend on light: domain
randomization (Tobin et al., *Domain Randomization for Transferring Deep Neural Networks from
Simulation to the Real World*, arXiv 1703.06907).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .look import Light, Studio

SCENE_LIGHT = 0
"""The seed that stands for the scene's own light."""

_TURN = 0.35
"""Standard deviation of the parts of the quaternion ``(1, v)``; the angle is about 60 degrees."""
_BRIGHTNESS = 0.7
"""Standard deviation of the logarithm of a light's brightness."""
_GLOSS = 0.4
"""Standard deviation of the logarithm of its highlight's brightness, over the light's own."""
_AMBIENT = 0.15
"""The brightest ambient light, a scene linear grey."""


def studio_of(seed: int, own: Studio) -> Studio:
    """Return the studio that ``seed`` stands for, always the same one.

    Parameters
    ----------
    seed
        0 (:data:`SCENE_LIGHT`) for ``own``.
    own
        The scene's own studio. All its lights are turned together, each becomes brighter or
        darker, and the ambient light is another one.
    """
    if seed == SCENE_LIGHT:
        return own
    rng = np.random.default_rng(seed)
    turn = _rotation(rng)
    lights = tuple(_changed(light, turn, rng) for light in own.lights)
    return Studio(lights, (float(rng.uniform(0.0, _AMBIENT)),) * 3)


def _changed(light: Light, turn: np.ndarray, rng: np.random.Generator) -> Light:
    brightness = np.exp(_BRIGHTNESS * rng.normal())
    gloss = brightness * np.exp(_GLOSS * rng.normal())
    return replace(
        light,
        direction=tuple((turn @ light.direction).tolist()),
        diffuse=tuple((brightness * np.array(light.diffuse)).tolist()),
        specular=tuple((gloss * np.array(light.specular)).tolist()),
    )


def _rotation(rng: np.random.Generator) -> np.ndarray:
    """Return the rotation matrix of a random quaternion, ``(3, 3)``."""
    quaternion = np.concatenate(([1.0], _TURN * rng.normal(size=3)))
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
