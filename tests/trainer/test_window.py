# SPDX-License-Identifier: GPL-3.0-or-later
"""``gdr serve`` as Blender's window starts it: a real child, over a real channel."""

import os
import signal
import time

import psutil
import pytest
from window_helpers import ENDLESS, SETTINGS, Blender, family

from blendtorch import lifeline
from gdr_core import messages
from gdr_core.messages import RunStatus
from gdr_core.settings import RunSettings, TargetSettings

pytestmark = pytest.mark.slow


@pytest.fixture
def blender(tmp_path):
    window = Blender(tmp_path / "run")
    yield window
    window.channel.close()
    lifeline.stop([window.trainer])


def test_a_run_tells_the_window_everything(blender):
    blender.start(SETTINGS)
    blender.until(lambda m: isinstance(m, messages.Targets))
    assert (blender.out / "images" / "real.png").is_file()  # The panel shows it at once.
    finished = blender.until_finished()
    assert finished.status is RunStatus.DONE
    assert finished.truth == {"m1": (2.25, 0.1)}
    kinds = [type(message).__name__ for message in blender.seen]
    assert kinds.index("Targets") < kinds.index("Progress") < kinds.index("Samples")
    targets = next(m for m in blender.seen if isinstance(m, messages.Targets))
    assert targets.count == 8
    assert targets.sheet.shape == (3 * 34 + 2, 3 * 34 + 2, 3)
    samples = [m for m in blender.seen if isinstance(m, messages.Samples)]
    assert samples[-1].rows.shape == (64, 13)
    progress = [m for m in blender.seen if isinstance(m, messages.Progress)]
    assert (progress[-1].step, progress[-1].renders) == (5, 40)
    assert progress[-1].mean.keys() == {"m1", "m2"}


def test_pause_resume_and_stop(blender):
    blender.start(ENDLESS)
    blender.until_step(2)
    blender.send(messages.PauseRun())
    blender.until(lambda m: isinstance(m, messages.Status) and m.status is RunStatus.PAUSED)
    time.sleep(0.5)
    before = len(blender.seen)
    while blender.channel.recv(timeoutms=300) is not None:
        before += 1
    assert before == len(blender.seen)
    blender.send(messages.ResumeRun())
    blender.until_step(4)
    blender.send(messages.StopRun())
    finished = blender.until_finished()
    assert finished.status is RunStatus.IDLE
    assert "Stopped after" in finished.text
    assert (blender.out / "result.json").is_file()


def test_a_window_that_does_not_read_holds_nothing_up(blender):
    blender.start(ENDLESS)
    blender.until_step(1)
    deadline = time.monotonic() + 60
    while blender.last_step() < 60:
        assert time.monotonic() < deadline, "The run stood still while nobody read."
        time.sleep(0.2)
    blender.send(messages.StopRun())
    finished = blender.until_finished()
    steps = [m.step for m in blender.seen if isinstance(m, messages.Progress)]
    last = blender.last_step()
    assert steps == sorted(steps)
    assert steps[-1] == last
    assert f"Stopped after {last} steps" in finished.text


def test_bad_settings_are_told(blender):
    blender.send(messages.StartRun(settings={"seed": "many"}, out=str(blender.out)))
    finished = blender.until_finished()
    assert finished.status is RunStatus.FAILED
    assert "cannot be used" in finished.text


def test_a_failing_run_is_told(blender):
    folder = RunSettings(targets=TargetSettings(folder="/does/not/exist"))
    blender.start(folder)
    finished = blender.until_finished()
    assert finished.status is RunStatus.FAILED
    assert finished.text.startswith("There is no folder /does/not/exist")


def test_no_process_outlives_the_window(blender):
    blender.start(ENDLESS)
    blender.until_step(2)
    processes = family(blender.trainer)
    assert len(processes) >= 2
    # What the system does to the pipe when Blender is killed.
    blender.trainer.stdin.close()
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert alive == []


def test_a_killed_trainer_takes_its_workers_along(blender):
    blender.start(ENDLESS)
    blender.until_step(2)
    processes = family(blender.trainer)
    os.kill(blender.trainer.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert alive == []
