# SPDX-License-Identifier: GPL-3.0-or-later
"""The studio's lights as lamps, for engines that know nothing of Solid mode.

Each light becomes a sun: parallel light, fixed to the camera, of the same colour. Solid mode lets a
light wrap around a shape by ``w``, shading a normal at the angle t to it by
``(cos t + w) / (1 + w)^2``; summed over all directions that is pi for any ``w``, as for a sun of
irradiance pi. What a sun has in place of ``w`` is its size: one that is seen under the angle
``2 asin w`` lights the same normals. The ambient light becomes the world.

Highlights follow from the material, so that a light's own colour for them has no counterpart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import bpy
import numpy as np
from mathutils import Vector

from . import look

_COUNT = 4
"""Lights of a studio that are shown."""
_WORLD_PIXELS = "128"
"""Resolution at which EEVEE takes in the world, a single colour; at its own 1024 it is what most
of the time goes to."""


class StudioLamps:
    """Four suns, a world and a material in a scene.

    Parameters
    ----------
    scene
        One of our own, with its camera and objects in place.
    own
        The studio that is shown where no other is asked for.
    """

    def __init__(self, scene: bpy.types.Scene, own: look.Studio) -> None:
        self._own = own
        self._shown: look.Studio | None = None
        self._turn = np.array(scene.camera.matrix_world.to_3x3())
        self._world = _new_world(scene.name)
        self._material = _new_material(scene.name)
        self._lamps = [bpy.data.lights.new(scene.name, "SUN") for _ in range(_COUNT)]
        self._suns = [bpy.data.objects.new(lamp.name, lamp) for lamp in self._lamps]
        scene.world = self._world
        for sun in self._suns:
            scene.collection.objects.link(sun)
        for item in scene.collection.objects:
            if item.type == "MESH":
                item.data.materials.append(self._material)

    @contextmanager
    def lit(self) -> Iterator[Callable[[look.Studio | None], None]]:
        """Lend :meth:`show`."""
        yield self.show

    def show(self, studio: look.Studio | None) -> None:
        """Light the scene with a studio, None for its own one."""
        studio = studio or self._own
        if studio == self._shown:
            return
        self._shown = studio
        for index, (sun, lamp) in enumerate(zip(self._suns, self._lamps, strict=True)):
            self._set(sun, lamp, studio.lights[index] if index < len(studio.lights) else None)
        background = self._world.node_tree.nodes["Background"]
        background.inputs["Color"].default_value = (*studio.ambient, 1.0)

    def free(self) -> None:
        """Remove the data-blocks."""
        with suppress(ReferenceError):  # Another file was opened: they are gone already.
            for sun, lamp in zip(self._suns, self._lamps, strict=True):
                bpy.data.objects.remove(sun)
                bpy.data.lights.remove(lamp)
            bpy.data.worlds.remove(self._world)
            bpy.data.materials.remove(self._material)

    def _set(
        self, sun: bpy.types.Object, lamp: bpy.types.SunLight, light: look.Light | None
    ) -> None:
        brightest = max(light.diffuse) if light is not None else 0.0
        lamp.energy = math.pi * brightest
        if not brightest:
            return
        lamp.color = tuple(value / brightest for value in light.diffuse)
        lamp.angle = 2.0 * math.asin(min(1.0, max(0.0, light.smooth)))
        towards = Vector(self._turn @ np.array(light.direction))
        # A sun shines along its -Z.
        sun.rotation_mode = "QUATERNION"
        sun.rotation_quaternion = towards.to_track_quat("Z", "Y")


def _new_world(name: str) -> bpy.types.World:
    world = bpy.data.worlds.new(name)
    _use_nodes(world)
    world.probe_resolution = _WORLD_PIXELS
    world.sun_threshold = 0.0  # Of a world that is one colour, no part is a sun.
    return world


def _new_material(name: str) -> bpy.types.Material:
    """Return Solid mode's material, as far as the Principled shader has it."""
    material = bpy.data.materials.new(name)
    _use_nodes(material)
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*look.COLOR, 1.0)
    shader.inputs["Roughness"].default_value = look.ROUGHNESS
    return material


def _use_nodes(owner: bpy.types.World | bpy.types.Material) -> None:
    """Give it its nodes; since Blender 5.0 it has them from the start."""
    if bpy.app.version < (5, 0, 0):
        owner.use_nodes = True
