# SPDX-License-Identifier: GPL-3.0-or-later
"""Regression of parameters from pictures, the parts of :mod:`.estimator`."""
