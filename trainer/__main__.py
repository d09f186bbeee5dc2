# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m trainer`` is the command ``gdr``."""

import sys

from .cli import main

sys.exit(main())
