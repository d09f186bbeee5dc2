# SPDX-License-Identifier: GPL-3.0-or-later
"""Saves a .blend file with Python in a driver and a text block, and settings that let it run."""

import sys

import bpy

bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
driven = bpy.data.objects.new("Driven", None)
bpy.context.collection.objects.link(driven)
# An expression that Blender does not count as harmless.
driven.driver_add("location", 0).driver.expression = "4.0 if __import__('os').getpid() else 0"
text = bpy.data.texts.new("startup.py")
text.write("import bpy\nbpy.app.driver_namespace['the text has run'] = True\n")
text.use_module = True
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[-1])
bpy.context.preferences.filepaths.use_scripts_auto_execute = True
bpy.ops.wm.save_userpref()
bpy.ops.wm.quit_blender()
