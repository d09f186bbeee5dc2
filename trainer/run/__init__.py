# SPDX-License-Identifier: GPL-3.0-or-later
"""One run, from its settings to its folder."""
