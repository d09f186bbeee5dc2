# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenes that can be rendered, one folder each."""
