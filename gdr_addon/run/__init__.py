# SPDX-License-Identifier: GPL-3.0-or-later
"""A run as Blender's window sees it: the trainer's process, the conversation, its state."""
