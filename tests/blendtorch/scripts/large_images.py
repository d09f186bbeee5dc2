# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishes eight pictures of 12 MB and ends at once, while they still wait to be sent."""

import sys

import numpy as np

from blendtorch import btb, lifeline

if "--bpy" in sys.argv:
    import bpy  # noqa: F401, as a process that is a Blender ends

lifeline.watch()
publisher = btb.DataPublisher("tcp://127.0.0.1:*", lingerms=20_000)
print(publisher.address, flush=True)
for i in range(8):
    publisher.publish(i=i, image=np.full((2000, 2000, 3), 10 + i, np.uint8))
