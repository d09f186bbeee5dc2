# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts that make the published tables."""
