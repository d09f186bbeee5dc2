# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters in, images out: the render pool and its workers."""
