# SPDX-License-Identifier: GPL-3.0-or-later
"""Lives and opens nothing."""

import time

time.sleep(600)
