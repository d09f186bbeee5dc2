# SPDX-License-Identifier: GPL-3.0-or-later
"""The fast renderer: a ray for each pixel of a whole batch."""
