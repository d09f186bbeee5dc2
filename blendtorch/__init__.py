# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels between Blender and a Python that trains.

``blendtorch.btb`` is Blender's side, ``blendtorch.btt`` the torch side; both speak the wire of
:mod:`.wire`. See ``README.md`` next to this file.
"""

__version__ = "0.1.0"
