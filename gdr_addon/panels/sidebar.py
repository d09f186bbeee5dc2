# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels have in common."""

from __future__ import annotations

from .. import ids


class Sidebar:
    """A panel in the GDR tab of the 3D View's sidebar."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = ids.CATEGORY

    @property
    def split(self):
        """The layout with names to the left of values, as in Blender's own panels."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        return layout
