# SPDX-License-Identifier: GPL-3.0-or-later
"""Inside Blender: save, in the extension's preferences, the Python given after ``--``."""

import sys

import bpy

addon = bpy.context.preferences.addons["bl_ext.user_default.gdr"]
addon.preferences.trainer_python = sys.argv[-1]
bpy.ops.wm.save_userpref()
