# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that processes share are typed once."""

from pathlib import Path

import pytest

from blendtorch.btt import finder
from gdr_core import shared_names

ROOT = Path(__file__).resolve().parents[2]
CODE = [
    path
    for folder in ("gdr_addon", "gdr_core", "trainer")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "shared_names.py"
]


@pytest.mark.parametrize(
    "name",
    [value for key, value in vars(shared_names).items() if key.isupper() and value != "images"],
)
def test_no_code_types_a_shared_name_again(name):
    # "images" is also the word.
    again = [path for path in CODE if f'"{name}"' in path.read_text(encoding="utf-8")]
    assert again == []


def test_blendtorch_reads_the_same_variable():
    # It knows nothing of gdr_core, so it has a name of its own.
    assert finder.ENV_BLENDER == shared_names.BLENDER
