# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that may happen to a run, one after the other in one Blender; quits during a run."""

import time

import bpy
import extension
from drive import area, main_window, region, run, screenshot, seconds, show_sidebar, until
from extension import gdr_run, outcome, press


def prepare():
    gdr = bpy.context.scene.gdr
    gdr.estimator = "adversarial"  # Does not end by itself.
    gdr.steps, gdr.batch, gdr.size, gdr.hidden_count = 100_000, 8, "32", 8
    extension.preferences().workers = 1
    extension.preferences().keep_trainer = 0  # So that it shows that a run leaves no process.


def ends():
    yield from until(extension.ended, 30, "the run ends")
    yield from extension.no_process_left(0.1)
    return outcome()


def stop():
    yield from extension.start()
    yield from press("gdr.stop_optimization")
    return (yield from ends())


def stop_at_once():
    yield from press("gdr.start_optimization")
    yield from until(lambda: gdr_run().status == "STARTING", 10, "the run starts")
    yield from press("gdr.stop_optimization")
    return (yield from ends())


def pause_and_resume():
    yield from extension.start()
    yield from press("gdr.pause_optimization")
    yield from until(lambda: gdr_run().status == "PAUSED", 20, "the run holds")
    yield seconds(0.5)
    held = gdr_run().step
    yield seconds(1.0)
    screenshot("paused.png")
    still = gdr_run().step == held
    yield from press("gdr.resume_optimization")
    yield from until(lambda: gdr_run().step > held, 20, "the run goes on")
    yield from press("gdr.pause_optimization")
    yield from until(lambda: gdr_run().status == "PAUSED", 20, "the run holds again")
    yield from press("gdr.stop_optimization")
    return {**(yield from ends()), "still": still}


def undo_and_redo():
    yield from extension.start()
    bpy.ops.ed.undo_push(message="Before")
    bpy.data.objects["Cube"].location.x = 3.0
    bpy.ops.ed.undo_push(message="Move the cube")
    steps = []
    for undo in (bpy.ops.ed.undo, bpy.ops.ed.undo, bpy.ops.ed.undo, bpy.ops.ed.redo):
        undo()
        step = gdr_run().step
        yield from until(
            lambda step=step: gdr_run().step > step or extension.ended(), 20, "the next step"
        )
        yield seconds(0.4)
        steps.append(len(extension.preview_points()))
    status = gdr_run().status
    # The person deletes a part of the preview, and then all of it.
    shapes = [thing for thing in bpy.context.scene.objects if "gdr_preview" in thing]
    bpy.data.objects.remove(shapes[0])
    yield seconds(0.8)
    for collection in list(bpy.context.scene.collection.children):
        if "gdr_preview" in collection:
            bpy.data.collections.remove(collection)
    yield seconds(0.8)
    step = gdr_run().step
    yield from until(lambda: gdr_run().step > step, 20, "the run goes on without a preview")
    yield from press("gdr.stop_optimization")
    return {**(yield from ends()), "preview": steps, "while": status}


def edit_and_break_the_preview():
    """A person edits a shape of the preview; then the preview fails for a reason nobody foresaw."""
    yield from extension.start()
    yield seconds(0.5)
    shape = next(thing for thing in bpy.context.scene.objects if "gdr_preview" in thing)
    shape.hide_select = False
    with bpy.context.temp_override(**view()):
        bpy.context.view_layer.objects.active = shape
        shape.select_set(True)
        bpy.ops.object.mode_set(mode="EDIT")
        edited = shape.data.is_editmode
        step = gdr_run().step
        yield from until(lambda: gdr_run().step > step + 3, 20, "the run goes on")
    with bpy.context.temp_override(**view()):
        bpy.ops.object.mode_set(mode="OBJECT")
    quiet = list(gdr_run().notices)

    def fails(*arguments):
        raise ValueError("of a test")

    updates = extension.module("scenes.supershape.preview").Updates
    work, updates.work = updates.work, fails
    yield from until(lambda: gdr_run().notices, 10, "the notice")
    updates.work = work
    step = gdr_run().step
    yield from until(lambda: gdr_run().step > step + 1, 20, "the run goes on without a preview")
    yield extension.settle()
    screenshot("no-preview.png")
    said = {"edited": edited, "quiet": quiet, "notices": gdr_run().notices}
    yield from press("gdr.stop_optimization")
    return {**(yield from ends()), **said}


def view():
    return {"window": main_window(), "area": area("VIEW_3D"), "region": region("VIEW_3D", "WINDOW")}


def kill_worker():
    yield from extension.start()
    extension.kill("worker")
    step = gdr_run().step
    yield from until(
        lambda: gdr_run().step > step + 2 or extension.ended(), 40, "another worker takes over"
    )
    state = outcome()
    if not extension.ended():
        yield from press("gdr.stop_optimization")
    return {**(yield from ends()), "while": state}


def kill_trainer():
    yield from extension.start()
    extension.kill("trainer")
    result = yield from ends_in(8)
    yield extension.settle()
    screenshot("killed.png")
    return result


def ends_in(timeout):
    yield from until(extension.ended, timeout, "the run's end is noticed")
    yield from extension.no_process_left(5)
    return outcome()


def open_another_file():
    yield from extension.start()
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    yield from until(extension.ended, 30, "the run ends")
    yield from extension.no_process_left(0.1)
    result = {**outcome(), "objects": sorted(bpy.data.objects.keys())}
    yield from show_sidebar("GDR")
    prepare()
    yield extension.settle()
    screenshot("other-file.png")
    return result


def disable():
    yield from extension.start()
    bpy.ops.preferences.addon_disable(module=extension.MODULE)
    yield from extension.no_process_left(4)
    left = [name for name in dir(bpy.types) if name.startswith("GDR")]
    left += [name for name in dir(bpy.context.scene) if name.startswith("gdr")]
    yield seconds(0.5)
    bpy.ops.preferences.addon_enable(module=extension.MODULE)
    yield from show_sidebar("GDR")
    prepare()
    return {**outcome(), "left": left}


def steps():
    yield from show_sidebar("GDR")
    prepare()
    report = {}
    for case in (
        stop,
        stop_at_once,
        pause_and_resume,
        undo_and_redo,
        edit_and_break_the_preview,
        kill_worker,
        kill_trainer,
        open_another_file,
        disable,
    ):
        began = time.monotonic()
        report[case.__name__] = yield from case()
        report[case.__name__]["seconds"] = round(time.monotonic() - began, 1)
    # Start works still; Blender then quits in the middle of the run.
    yield from extension.start()
    report["quit"] = {**outcome(), "processes": len(extension.children())}
    return report


run(steps)
