# SPDX-License-Identifier: GPL-3.0-or-later
"""Inside Blender: save, in the extension's preferences, the Python given after ``--``."""

import sys

import bpy

addon = bpy.context.preferences.addons.get("bl_ext.user_default.gdr")
if addon is None:
    # Blender's own command tells of a failed installation, but ends as if it had succeeded.
    sys.exit("The extension is not there; what Blender said above tells why.")
addon.preferences.trainer_python = sys.argv[-1]
bpy.ops.wm.save_userpref()
