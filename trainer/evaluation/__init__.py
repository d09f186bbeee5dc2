# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a result is: compared with the targets, and drawn."""
