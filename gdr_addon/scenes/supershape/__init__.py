# SPDX-License-Identifier: GPL-3.0-or-later
"""The supershape scene inside Blender."""
