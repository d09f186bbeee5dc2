# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tests take long, by their folder; single ones say so themselves."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
WITH_A_WINDOW = {"window", "packaging"}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.relative_to(HERE).parts[0] in WITH_A_WINDOW:
            item.add_marker(pytest.mark.window)
