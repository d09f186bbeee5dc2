# SPDX-License-Identifier: GPL-3.0-or-later
"""How Blender's Solid viewport looks: its lights, its material, its background.

All renderers draw with this, or with what they have that comes nearest to it
(:mod:`.lamps`), so that the images of one resemble those of the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

STUDIO_LIGHT = "Default"

BACKGROUND = (61 / 255, 61 / 255, 61 / 255)
"""sRGB, that of the viewport in Blender's own theme. A person's theme does not count, so that the
same parameters give the same image in their Blender and in a factory-fresh worker."""
BACKGROUND_LEVELS = np.round(np.array(BACKGROUND) * 255).astype(np.uint8)
"""The same as it is in an image, ``(3,)`` uint8."""

OUTLINE = False
"""Whether objects are outlined, a screen-space effect that ``fast`` does not have."""

COLOR = (0.8, 0.8, 0.8)
"""Of an object without a material, scene linear."""
ROUGHNESS = 0.4**0.5
"""The default material's roughness of 0.4 as Workbench takes it."""


@dataclass(frozen=True)
class Light:
    """A light of the studio, fixed to the camera.

    Attributes
    ----------
    direction
        Towards the light, in camera space.
    smooth
        How far it wraps around, 0 to 1.
    diffuse, specular
        Its colours, scene linear.
    """

    direction: tuple[float, float, float]
    smooth: float
    diffuse: tuple[float, float, float]
    specular: tuple[float, float, float]


@dataclass(frozen=True)
class Studio:
    """What lights a shape.

    Attributes
    ----------
    lights
        Four of them; more are not shown.
    ambient
        The light from everywhere, scene linear.
    """

    lights: tuple[Light, ...]
    ambient: tuple[float, float, float]


DEFAULT_LIGHTS = (
    Light(
        (-0.352546, 0.170931, -0.920051),
        0.526620,
        (0.033103, 0.033103, 0.033103),
        (0.266761, 0.266761, 0.266761),
    ),
    Light(
        (-0.408163, 0.346939, 0.844415),
        0.0,
        (0.521083, 0.538226, 0.538226),
        (0.599030, 0.599030, 0.599030),
    ),
    Light(
        (0.521739, 0.826087, 0.212999),
        0.478261,
        (0.038403, 0.034357, 0.049530),
        (0.106102, 0.125981, 0.158523),
    ),
    Light(
        (0.624519, -0.562067, -0.542269),
        0.2,
        (0.090838, 0.082080, 0.072255),
        (0.106535, 0.084771, 0.066080),
    ),
)
"""The lights of Blender 5's studio light ``Default``, for a Blender that has none by that name."""


def studio() -> Studio:
    """Return this Blender's default studio."""
    for studio_light in bpy.context.preferences.studio_lights:
        if studio_light.type == "STUDIO" and studio_light.name == STUDIO_LIGHT:
            lights = tuple(_light(light) for light in studio_light.solid_lights)
            return Studio(lights, tuple(studio_light.light_ambient))
    return Studio(DEFAULT_LIGHTS, (0.0, 0.0, 0.0))


def workbench_shading() -> dict[str, object]:
    """Return the settings of ``bpy.types.View3DShading`` that Workbench draws with."""
    return {
        "light": "STUDIO",
        "studio_light": STUDIO_LIGHT,
        "use_world_space_lighting": False,
        "show_specular_highlight": True,
        "color_type": "MATERIAL",
        "show_backface_culling": False,
        "show_xray": False,
        "show_shadows": False,
        "show_cavity": False,
        "show_object_outline": OUTLINE,
        "use_dof": False,
    }


def viewport_shading() -> dict[str, object]:
    """Return the same for a viewport in Solid mode, with its background."""
    return workbench_shading() | {
        "background_type": "VIEWPORT",
        "background_color": background_setting(),
    }


def background_setting() -> tuple[float, float, float]:
    """Return :data:`BACKGROUND` as ``View3DShading.background_color`` takes it.

    Drawing off screen, Blender encodes the background with a power of 2.2, not with sRGB's curve,
    and does so in half floats: aim a quarter of a level low.
    """
    return tuple((value - 0.25 / 255) ** 2.2 for value in BACKGROUND)


def uniforms(view: np.ndarray, projection: np.ndarray, studio: Studio) -> np.ndarray:
    """Return the content of the shader's uniform buffer, ``(25, 4)`` float32.

    The view by columns; the direction towards the camera (:func:`_rays`); four light directions
    with their wrap in ``w``, four diffuse and four specular colours with the scale of their wrapped
    light in ``w``; four highlights: shininess, its normalisation, wrap and share of the wide
    highlight; ambient; the material's colour with its roughness in ``w``.
    """
    block = np.zeros((25, 4), dtype=np.float32)
    block[0:4] = view.T
    block[4:7, :3] = _rays(projection)
    for index, light in enumerate(studio.lights[:4]):
        around = light.smooth + (1.0 - light.smooth) * ROUGHNESS
        block[7 + index] = (*light.direction, light.smooth)
        block[11 + index] = (*light.diffuse, _rough_reciprocal((1.0 + light.smooth) ** 2))
        block[15 + index] = (*light.specular, _rough_reciprocal((1.0 + around) ** 2))
        shininess = 2.0 ** (10.0 * (1.0 - ROUGHNESS) * (1.0 - light.smooth) + 1.0)
        block[19 + index] = (shininess, shininess / 8.0 + 1.0, around, light.smooth**2)
    block[23, :3] = studio.ambient
    block[24] = (*COLOR, ROUGHNESS)
    return block


def _rays(projection: np.ndarray) -> np.ndarray:
    """Return the direction towards the camera, in its space, as a function of the pixel.

    It is ``a + x b + y c``, of any length, where x and y run from -1 to 1 across the picture;
    ``(3, 3)``, the rows a, b and c.
    """
    if projection[3, 3] != 0.0:  # Rays are parallel.
        return np.array([(0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)])
    # They meet in the origin. What is seen at x and y is orthogonal to both of these:
    # projection[0] - x projection[3] and projection[1] - y projection[3].
    right, up, depth = projection[[0, 1, 3], :3]
    rays = np.stack((np.cross(right, up), np.cross(up, depth), np.cross(depth, right)))
    ahead = rays[0] @ depth
    return rays * (-np.sign(ahead) / np.linalg.norm(rays[0]))


def _rough_reciprocal(value: float) -> float:
    """Return about ``1 / value``, as roughly as Workbench does.

    Its shader divides by the bit trick of M. Drobot, *Low Level Optimizations for GCN*, 2014,
    which is up to 12 % off; the lights come out 6 % darker with it.
    """
    bits = np.float32(value).view(np.int32)
    return float((np.int32(0x7EEF370B) - bits).view(np.float32))


def _light(light) -> Light:
    if not light.use:
        black = (0.0, 0.0, 0.0)
        return Light((0.0, 0.0, 1.0), 0.0, black, black)
    return Light(
        tuple(light.direction),
        light.smooth,
        tuple(light.diffuse_color),
        tuple(light.specular_color),
    )
