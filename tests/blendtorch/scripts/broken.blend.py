# SPDX-License-Identifier: GPL-3.0-or-later
"""Fails before it opens a socket."""

raise RuntimeError("the lamp is missing")
