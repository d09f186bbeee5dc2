# SPDX-License-Identifier: GPL-3.0-or-later
"""Inside Blender: make room for the extension's preview, and show its panel."""

import bpy

CATEGORY = "GDR"


def clear_way() -> None:
    """Take the start-up file's cube away; it stands where the preview will."""
    cube = bpy.data.objects.get("Cube")
    if not bpy.data.filepath and cube is not None:
        bpy.data.objects.remove(cube)


def show_panel() -> float | None:
    """Open the sidebar at the extension's tab, as soon as that has been drawn once."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type != "VIEW_3D":
                continue
            area.spaces.active.show_region_ui = True
            sidebar = next(region for region in area.regions if region.type == "UI")
            try:
                sidebar.active_panel_category = CATEGORY
            except (AttributeError, TypeError):  # Not drawn yet: there are no tabs to choose from.
                return 0.2
            area.tag_redraw()
            if sidebar.active_panel_category != CATEGORY:
                return 0.2
    return None


clear_way()
bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(show_panel, first_interval=0.2)
