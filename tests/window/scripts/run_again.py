# SPDX-License-Identifier: GPL-3.0-or-later
"""Click Start Optimization again and again: the trainer stays, is lost, leaves, and stays.

Blender quits while it stays, or is killed where the argument is ``killed``.
"""

import os
import signal
import sys
import time

import bpy
import extension
from drive import run, seconds, show_sidebar, until
from extension import gdr_run, outcome, press

KILLED = sys.argv[-1] == "killed"


def prepare():
    gdr = bpy.context.scene.gdr
    gdr.estimator = "adversarial"  # Makes all of its steps.
    gdr.steps, gdr.batch, gdr.size, gdr.hidden_count = 4, 8, "32", 8
    extension.preferences().workers = 1


def whole_run():
    """Click, and wait for the end; what it was like, with seconds from the click."""
    before = gdr_run().folder
    yield from press("gdr.start_optimization")
    yield from until(lambda: gdr_run().folder != before, 10, "the run starts")
    began = time.monotonic()
    yield from until(lambda: gdr_run().step >= 1 or extension.ended(), 60, "a step")
    first = time.monotonic() - began
    yield from until(extension.ended, 60, "the end")
    return {
        **outcome(),
        "first_step": round(first, 2),
        "end": round(time.monotonic() - began, 2),
        "trainer": list(extension.children("trainer")),
        "workers": list(extension.children("worker")),
        "active": gdr_run().active or extension.module("run.controller").active(),
    }


def again():
    report = []
    for _ in range(3):
        report.append((yield from whole_run()))
        yield seconds(0.5)
    return report


def killed_meanwhile():
    before = yield from whole_run()
    extension.kill("trainer")
    yield from extension.no_process_left(5)
    after = yield from whole_run()
    return [before, after]


def killed_just_now():
    before = yield from whole_run()
    extension.kill("trainer")
    after = yield from whole_run()
    return [before, after]


def let_go(how):
    """The trainer leaves when ``how`` is done; the next run has another."""
    before = yield from whole_run()
    how()
    yield from extension.no_process_left(8)
    return [before]


def other_preferences():
    return (yield from let_go(lambda: setattr(extension.preferences(), "keep_trainer", 7)))


def opened_another_file():
    report = yield from let_go(lambda: bpy.ops.wm.read_homefile(use_factory_startup=True))
    yield from show_sidebar("GDR")
    prepare()
    return report


def disabled():
    report = yield from let_go(lambda: bpy.ops.preferences.addon_disable(module=extension.MODULE))
    yield seconds(0.5)
    bpy.ops.preferences.addon_enable(module=extension.MODULE)
    yield from show_sidebar("GDR")
    prepare()
    return report


def left_by_itself():
    """As after the minutes of the preferences, which no test waits for."""
    extension.module("settings.preferences").keep_seconds = lambda context: 1.0
    before = yield from whole_run()
    yield from extension.no_process_left(10)
    yield seconds(3)  # The timer finds it gone.
    kept = extension.module("run.kept_trainer")._kept
    return [{**before, "kept": kept is not None}]


def steps():
    yield from show_sidebar("GDR")
    prepare()
    if KILLED:
        report = yield from whole_run()
        # Once the report is written.
        bpy.app.timers.register(lambda: os.kill(os.getpid(), signal.SIGKILL), first_interval=1.0)
        return report
    report = {"blender": bpy.app.version_string}
    for case in (
        again,
        killed_meanwhile,
        killed_just_now,
        other_preferences,
        opened_another_file,
        disabled,
        left_by_itself,
    ):
        report[case.__name__] = yield from case()
    extension.module("settings.preferences").keep_seconds = lambda context: 60.0
    report["last"] = yield from whole_run()
    return report


run(steps, keep_open=KILLED)
