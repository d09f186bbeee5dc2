# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sets: in the file, and for the machine."""
