# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that come in as targets and go out as training data."""
