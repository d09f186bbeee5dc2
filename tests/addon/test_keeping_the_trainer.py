# SPDX-License-Identifier: GPL-3.0-or-later
"""When the trainer that stays between two runs is let go."""

import sys
import time
from pathlib import Path

import bpy
import pytest
from gdr.gdr_addon.run import kept_trainer
from gdr.gdr_addon.run.trainer_link import Launch, TrainerLink
from gdr.gdr_core.settings import RunSettings

SCRIPT = Path(__file__).with_name("scripted_trainer.py")


@pytest.fixture
def link(addon, tmp_path):
    """A trainer that stays, connected."""
    arguments = (str(SCRIPT), "stays")
    launch = Launch(sys.executable, RunSettings(), tmp_path, arguments=arguments, keep=60.0)
    link = TrainerLink(launch)
    deadline = time.monotonic() + 60
    while not link.channel.connected:
        assert link.process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    kept_trainer.keep(link, 60.0)
    yield link
    kept_trainer.kill()
    link.kill()


def tick():
    """Do what the timer does; whether the trainer is still kept."""
    # Timers do not run in the module, so their function is called.
    return kept_trainer._tick() is not None and kept_trainer._kept is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trainer_python", "/another/python"),
        ("keep_trainer", 7),
        ("pool", "ray"),
        ("ray_address", "10.0.0.1:6379"),
    ],
)
def test_other_preferences_let_the_trainer_go(link, name, value):
    assert tick()
    setattr(bpy.context.preferences.addons["gdr"].preferences, name, value)
    assert not tick()
    link.process.wait(10)


def test_preferences_that_are_not_the_trainers_do_not(link):
    bpy.context.preferences.addons["gdr"].preferences.workers = 3
    assert tick()
    assert link.well


def test_a_trainer_that_has_left_is_cleared_away(link):
    link.process.kill()
    link.process.wait(5)
    assert not tick()
    assert link.channel._endpoint.closed


def test_the_settings_know_nothing_of_the_run():
    folder = Path(__file__).resolve().parents[2] / "gdr_addon" / "settings"
    for path in folder.glob("*.py"):
        assert "..run" not in path.read_text(encoding="utf-8"), path
