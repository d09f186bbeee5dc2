# SPDX-License-Identifier: GPL-3.0-or-later
"""Posterior regression; :mod:`.estimator` is its sequence of rounds."""
