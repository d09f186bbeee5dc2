# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender's side and the trainer agree on: parameters, settings, messages.

Nothing here imports ``bpy`` or ``torch``, so every process of a run can import all of it.
"""

__version__ = "0.1.0"
