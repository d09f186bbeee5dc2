# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests in a window."""

from window_blender import blender as blender
