# SPDX-License-Identifier: GPL-3.0-or-later
"""The script of the Blender that renders the reference's way.

As blendtorch's ``densityopt`` example does it: for each shape ``supershape.supercoords`` and
``supershape.update_bpy_mesh`` on a 100 x 100 grid, then ``draw_view3d`` in Solid mode with the
viewport's default 8 anti-aliasing samples, then a message with the picture.

A message ``{"parameters": (N, 12)}`` is answered by N messages ``{"image": (S, S, 3)}``.
"""

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "gdr_addon" / "standalone.py"))["load"]()

import bpy  # noqa: E402
import numpy as np  # noqa: E402
import supershape  # noqa: E402
from gdr.blendtorch import btb  # noqa: E402
from gdr.blendtorch.errors import PeerLost  # noqa: E402
from gdr.gdr_addon.renderers.context import ensure_gpu, release_meshes  # noqa: E402
from gdr.gdr_addon.renderers.viewport import Viewport  # noqa: E402
from gdr.gdr_addon.scenes.supershape import look  # noqa: E402
from gdr.gdr_core.supershape.view import reference_camera  # noqa: E402

GRID = (100, 100)
SAMPLES = 8


class Scene:
    """A supershape as the reference has it, and a view on it."""

    def __init__(self) -> None:
        ensure_gpu()
        scene = bpy.data.scenes.new("Reference")
        self._shape = supershape.make_bpy_mesh(GRID, coll=scene.collection)
        scene.display_settings.display_device = "sRGB"
        scene.view_settings.view_transform = "Standard"
        shading = look.viewport_shading()
        self._viewport = Viewport(scene, reference_camera(), SAMPLES, shading)

    def answer(self, channel: btb.DuplexChannel, parameters: np.ndarray, size: int) -> None:
        """Render the shapes, and send each when it is done."""
        image = np.empty((size, size, 3), dtype=np.uint8)
        with self._viewport.open(size) as draw:
            for row in parameters:
                x, y, z = supershape.supercoords(row.reshape(2, 6), shape=GRID)
                supershape.update_bpy_mesh(x, y, z, self._shape)
                draw(image)
                channel.send(image=image)
        release_meshes()


def main() -> None:
    """Answer until the other side is gone."""
    arguments, _ = btb.parse_blendtorch_args(sys.argv)
    scene = Scene()
    with btb.DuplexChannel(arguments.btsockets["CTRL"], arguments.btid) as channel:
        while True:
            try:
                request = channel.recv()
                scene.answer(channel, request["parameters"], request["size"])
            except PeerLost:
                return


main()
