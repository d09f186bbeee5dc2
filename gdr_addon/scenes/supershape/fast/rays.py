# SPDX-License-Identifier: GPL-3.0-or-later
"""The rays through the pixels of a picture, as the fast renderer's shader takes them."""

from __future__ import annotations

import numpy as np


def uniforms(view: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """Return the content of the shader's uniform buffer, ``(12, 4)`` float32.

    Where a ray begins and where it leads, each as ``a + x b + y c``, with x and y from -1 to 1
    across the picture: six rows. Then the near and the far plane; clip space as a function of the
    world, by columns.

    Parameters
    ----------
    view, projection
        World to camera, camera to clip space, ``(4, 4)`` float64.
    """
    clip = projection @ view
    block = np.zeros((12, 4), dtype=np.float32)
    block[0:3, :3], block[3:6, :3] = _origins(clip), _directions(clip)
    block[6:8] = clip[3] + clip[2], clip[3] - clip[2]
    block[8:12] = clip.T
    return block


def _origins(clip: np.ndarray) -> np.ndarray:
    """Return a point of each ray, ``(3, 3)``: the eye, or one of a plane for parallel rays."""
    # The eye is where x, y and w of clip space are zero at once: orthogonal to three vectors of
    # four, so given by their minors.
    rows = clip[[0, 1, 3]]
    eye = np.array([(-1) ** k * np.linalg.det(np.delete(rows, k, axis=1)) for k in range(4)])
    if abs(eye[3]) > 1e-9 * np.linalg.norm(eye):
        return np.array([eye[:3] / eye[3], np.zeros(3), np.zeros(3)])
    unproject = np.linalg.inv(clip)
    return (unproject[:3, [3, 0, 1]] / unproject[3, 3]).T


def _directions(clip: np.ndarray) -> np.ndarray:
    """Return the direction of each ray, of any length, ``(3, 3)``; 1 m in the middle."""
    # What is seen at x and y is orthogonal to clip[0] - x clip[3] and to clip[1] - y clip[3].
    right, up, depth = clip[[0, 1, 3], :3]
    rays = np.stack((np.cross(right, up), np.cross(up, depth), np.cross(depth, right)))
    # Away from the camera: what lies behind the near plane is not seen.
    ahead = rays[0] @ (clip[3] + clip[2])[:3]
    return rays * np.sign(ahead) / np.linalg.norm(rays[0])
