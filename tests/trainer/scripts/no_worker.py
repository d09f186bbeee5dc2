# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker's script must not be: it ends at once."""

raise SystemExit("There is nothing to do here.")
