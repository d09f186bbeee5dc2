# SPDX-License-Identifier: GPL-3.0-or-later
"""A trainer that stays between runs: a real child with real workers, over a real channel."""

import os
import signal
import time

import psutil
import pytest
from msgspec.structs import replace
from window_helpers import ENDLESS, SETTINGS, Blender, family, workers

from blendtorch import lifeline
from gdr_core import messages
from gdr_core.messages import RunStatus
from gdr_core.settings import SceneSettings, TargetSettings

pytestmark = pytest.mark.slow

OTHER = replace(SETTINGS, seed=4, training=replace(SETTINGS.training, size=64))
COARSE = replace(SETTINGS, scene=SceneSettings(options={"grid": (8, 8)}))
ADVERSARIAL = replace(ENDLESS, training=replace(ENDLESS.training, steps=4))


@pytest.fixture
def blender(tmp_path):
    window = Blender(tmp_path / "none")
    yield window
    window.channel.close()
    lifeline.stop([window.trainer])


def done(finished):
    return finished.status is RunStatus.DONE


def test_the_next_run_has_the_same_workers_and_is_as_if_it_were_the_first(blender, tmp_path):
    assert done(blender.run(SETTINGS, "first"))
    fresh, processes = blender.history(), workers(blender.trainer)
    assert len(processes) == 1
    # Others in between, one of them with torch's other optimizers, one with other images.
    for number, settings in enumerate((ADVERSARIAL, OTHER)):
        assert done(blender.run(settings, f"between-{number}"))
    assert done(blender.run(SETTINGS, "again"))
    assert blender.history() == fresh
    assert workers(blender.trainer) == processes
    # Each folder has all of its own: the log, what was printed, what the workers printed.
    folders = [tmp_path / name for name in ("first", "between-0", "again")]
    for folder in folders:
        log = (folder / "trainer.log").read_text()
        assert log.count(": Run in ") == 1
        assert f"Run in {folder}," in log
        assert (folder / "workers" / "worker-0" / "blender-0.log").is_file()
        assert (folder / "trainer-output.log").is_file()
    assert "of the last run are at hand" in (tmp_path / "again" / "trainer.log").read_text()
    assert blender.trainer.poll() is None


def test_what_is_printed_goes_to_the_run_at_work(blender, tmp_path):
    for name in ("first", "second"):
        assert done(blender.run(SETTINGS, name))
    blender.out = tmp_path / "third"
    blender.out.mkdir()
    output = str(blender.out / "trainer-output.log")
    blender.start(ENDLESS, keep=60.0, output=output)
    blender.until_step(1)
    worker = workers(blender.trainer)[0]
    for process in (psutil.Process(blender.trainer.pid), worker):
        for descriptor in (1, 2):
            target = os.readlink(f"/proc/{process.pid}/fd/{descriptor}")
            assert target.startswith(str(blender.out)), target
    blender.send(messages.StopRun())
    blender.until(lambda m: isinstance(m, messages.Finished))
    deadline = time.monotonic() + 5
    while os.readlink(f"/proc/{worker.pid}/fd/1") != os.devnull:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_stopped_run_and_a_failed_one_leave_nothing_to_the_next(blender):
    blender.out = blender.out.with_name("stopped")
    blender.start(ENDLESS, keep=60.0)
    blender.until_step(2)
    blender.send(messages.PauseRun())
    blender.until(lambda m: isinstance(m, messages.Status) and m.status is RunStatus.PAUSED)
    blender.send(messages.StopRun())
    finished = blender.until(lambda m: isinstance(m, messages.Finished))
    assert finished.status is RunStatus.IDLE
    processes = workers(blender.trainer)
    missing = replace(SETTINGS, targets=TargetSettings(folder="/does/not/exist"))
    assert blender.run(missing, "failed").status is RunStatus.FAILED
    blender.send(messages.StopRun())  # Too late: it has ended.
    assert done(blender.run(SETTINGS, "next"))
    assert workers(blender.trainer) == processes
    assert not [m for m in blender.seen if isinstance(m, messages.Notice)]


@pytest.mark.parametrize(
    "change",
    [{"workers": 2}, {"worker_memory": 4000}, {"renderer": "solid"}, {"recycle_after": 9000}],
)
def test_other_workers_are_started_where_the_settings_ask_for_them(blender, change):
    assert done(blender.run(SETTINGS, "first"))
    before = workers(blender.trainer)
    assert done(
        blender.run(replace(SETTINGS, rendering=replace(SETTINGS.rendering, **change)), "b")
    )
    after = workers(blender.trainer)
    assert not set(before) & set(after)
    assert len(after) == change.get("workers", 1)
    _, alive = psutil.wait_procs(before, timeout=5)
    assert alive == []


def test_a_run_with_another_scene_is_as_if_it_were_the_first(blender):
    assert done(blender.run(COARSE, "first"))
    fresh, before = blender.history(), workers(blender.trainer)
    assert done(blender.run(SETTINGS, "other"))
    other, between = blender.history(), workers(blender.trainer)
    assert done(blender.run(COARSE, "again"))
    assert blender.history() == fresh != other
    assert not set(between) & {*before, *workers(blender.trainer)}


def test_a_resumed_run_has_the_scene_that_it_had(blender, tmp_path):
    assert done(blender.run(SETTINGS, "whole"))
    whole = blender.history()
    begun = replace(SETTINGS, training=replace(SETTINGS.training, steps=3))
    assert done(blender.run(begun, "begun"))
    assert blender.history() == whole[:4]
    assert done(blender.run(COARSE, "between"))
    blender.out = tmp_path / "begun"
    blender.start(SETTINGS, resume=True, keep=60.0)
    assert done(blender.until(lambda m: isinstance(m, messages.Finished)))
    assert blender.history() == whole


def test_a_worker_that_died_meanwhile_is_no_matter(blender):
    assert done(blender.run(SETTINGS, "first"))
    fresh = blender.history()
    (worker,) = workers(blender.trainer)
    worker.kill()
    time.sleep(0.5)
    assert done(blender.run(SETTINGS, "second"))
    assert blender.history() == fresh
    assert not [m for m in blender.seen if isinstance(m, messages.Notice)]


def test_it_leaves_by_itself(blender):
    assert done(blender.run(SETTINGS, "first", keep=1.0))
    processes = family(blender.trainer)
    assert len(processes) == 2
    assert blender.trainer.wait(15) == 0
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert alive == []


def test_the_last_order_ends_it(blender):
    assert done(blender.run(SETTINGS, "first"))
    processes = family(blender.trainer)
    assert done(blender.run(SETTINGS, "last", keep=0.0))
    assert blender.trainer.wait(15) == 0
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert alive == []


@pytest.mark.parametrize("how", ["channel", "lifeline", "killed"])
def test_nothing_of_one_that_stays_outlives_the_window(blender, how):
    assert done(blender.run(SETTINGS, "first"))
    processes = family(blender.trainer)
    assert len(processes) == 2
    if how == "channel":  # As when the extension lets it go.
        blender.channel.close()
    elif how == "lifeline":  # As when Blender is killed.
        blender.trainer.stdin.close()
    else:
        os.kill(blender.trainer.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []


def test_bad_settings_do_not_end_it(blender):
    assert done(blender.run(SETTINGS, "first"))
    blender.seen.clear()
    blender.out = blender.out.with_name("bad")
    blender.send(messages.StartRun(settings={"seed": "many"}, out=str(blender.out), keep=60.0))
    finished = blender.until(lambda m: isinstance(m, messages.Finished))
    assert finished.status is RunStatus.FAILED
    assert done(blender.run(SETTINGS, "last", keep=0.0))
