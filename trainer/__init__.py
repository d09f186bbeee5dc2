# SPDX-License-Identifier: GPL-3.0-or-later
"""The torch side: finds the distribution over a scene's parameters that produced the targets.

Never imports ``bpy``; Blender is reached through :mod:`trainer.rendering.pool` and
:mod:`trainer.run.server`.
"""
