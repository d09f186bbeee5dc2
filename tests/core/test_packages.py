# SPDX-License-Identifier: GPL-3.0-or-later
import re
import tomllib
from pathlib import Path

from gdr_core.packages import TRAINER_PACKAGES

ROOT = Path(__file__).parents[2]


def test_what_people_are_told_to_install_is_what_the_trainer_depends_on():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.match(r"[\w-]+", requirement)[0] for requirement in project["dependencies"]]
    assert list(TRAINER_PACKAGES) == names
