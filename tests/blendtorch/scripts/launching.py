# SPDX-License-Identifier: GPL-3.0-or-later
"""Launches SCRIPT, saves the launch's information to FILE, prints the children's ids, waits."""

import sys
import time

from blendtorch import btt

script, file = sys.argv[1:3]
with btt.BlenderLauncher(
    "", script, num_instances=2, named_sockets=["CTRL"], blend_path="bpy", background=True
) as bl:
    btt.LaunchInfo.save_json(file, bl.launch_info)
    print(*(p.pid for p in bl.launch_info.processes), flush=True)
    time.sleep(600)
