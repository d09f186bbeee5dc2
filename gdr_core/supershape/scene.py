# SPDX-License-Identifier: GPL-3.0-or-later
"""The supershape as a kind of scene."""

from __future__ import annotations

import msgspec

from ..camera import Camera
from ..families import Distribution
from ..roles import Optimise, Random
from ..scene import Parameter
from ..scene_definition import SceneDefinition
from .parameters import PARAMETERS
from .resolution import automatic_grid, check_grid

LIGHT = Parameter(
    name="light",
    kind="seed",
    low=1,
    high=2**24 - 1,
    label="Light",
    description="Number of a random light of the studio, 0 for the scene's own",
)
"""0 is the scene's own light, any other number a random one that depends on that number alone."""


class SupershapeOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The supershape scene's own settings.

    Attributes
    ----------
    grid
        Longitude and latitude resolution of the surface; None for what suits the image size
        (:func:`.resolution.automatic_grid`).
    camera
        None for the reference camera (:mod:`.view`).
    """

    grid: tuple[int, int] | None = None
    camera: Camera | None = None

    def filled(self, size: int) -> SupershapeOptions:
        """Return the options with a grid that suits images of ``size`` pixels, if there is none."""
        return msgspec.structs.replace(self, grid=self.grid or automatic_grid(size))

    def check(self) -> None:
        """Raise :class:`BadSettings` with the first thing that is wrong and how to mend it."""
        check_grid(self.grid)
        if self.camera is not None:
            self.camera.check()


SUPERSHAPE = SceneDefinition(
    name="supershape",
    label="Supershape",
    parameters=(*PARAMETERS, LIGHT),
    options=SupershapeOptions,
    renderers=("fast", "solid", "workbench", "eevee", "cycles"),
    # The reference method's experiment (blendtorch densityopt).
    example={
        "m1": Optimise(distribution=Distribution(mean=1.2, std=0.4)),
        "m2": Optimise(distribution=Distribution(mean=3.0, std=0.4)),
    },
    example_targets={
        "m1": Distribution(mean=2.25, std=0.1),
        "m2": Distribution(mean=2.25, std=0.1),
    },
    unlisted={
        "light": Random(
            distribution=Distribution(family="uniform", low=LIGHT.low, high=LIGHT.high),
            when="mismatch",
        )
    },
)
