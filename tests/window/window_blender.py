# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender of the tests in a window, and where there is none a skip that says what to do."""

import os

import pytest
from blender_for_tests import NoBlender, TestBlender, find
from harness import missing_programs


@pytest.fixture(scope="session")
def blender() -> TestBlender:
    """Return GDR_BLENDER, or the fetched one of the version GDR_BLENDER_VERSION."""
    try:
        found = find(os.environ.get("GDR_BLENDER_VERSION", "4.3"))
    except NoBlender as error:
        return _give_up(str(error))
    if missing := missing_programs(found):
        return _give_up(f"The window tests need {', '.join(missing)}.")
    return found


def _give_up(reason: str):
    # Where CI runs nobody reads about skipped tests.
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
