# SPDX-License-Identifier: GPL-3.0-or-later
"""The fast renderer's third stage, where a pixel has several samples: their mean."""

from __future__ import annotations

import gpu

from .batch import tile_batch

_VERTEX = """
void main()
{
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}
"""

_FRAGMENT = """
void main()
{
  ivec2 first = ivec2(gl_FragCoord.xy) * FOLD;
  vec3 total = vec3(0.0);
  for (int row = 0; row < FOLD; row++) {
    for (int column = 0; column < FOLD; column++) {
      total += texelFetch(samples, first + ivec2(column, row), 0).rgb;
    }
  }
  color = vec4(total / float(FOLD * FOLD), 1.0);
}
"""


class Mean:
    """Draws the mean of each square of samples.

    Parameters
    ----------
    samples
        A texture of colours.
    side
        Pixels along a side of what is drawn.
    fold
        Samples along a pixel.

    Attributes
    ----------
    framebuffer
        What it is drawn into.
    """

    def __init__(self, samples: gpu.types.GPUTexture, side: int, fold: int) -> None:
        self._samples = samples
        self._side = side
        self._shader = _compile(fold)
        self._square = tile_batch()
        self._colors = gpu.types.GPUTexture((side, side), format="RGBA8")
        self.framebuffer = gpu.types.GPUFrameBuffer(color_slots=(self._colors,))

    def draw(self) -> None:
        """Draw into the framebuffer; no depth test is on."""
        with self.framebuffer.bind():
            gpu.state.viewport_set(0, 0, self._side, self._side)
            self._shader.bind()
            self._shader.uniform_sampler("samples", self._samples)
            self._square.draw(self._shader)


def _compile(fold: int) -> gpu.types.GPUShader:
    info = gpu.types.GPUShaderCreateInfo()
    info.define("FOLD", str(fold))  # A number that is known, so that the loops unroll.
    info.vertex_in(0, "VEC2", "corner")
    info.fragment_out(0, "VEC4", "color")
    info.sampler(0, "FLOAT_2D", "samples")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)
