# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's settings and those of a run are the same thing."""

import bpy
import msgspec
import numpy as np
import pytest
from gdr.gdr_addon.scenes.supershape import preview
from gdr.gdr_addon.settings import defaults, from_scene
from gdr.gdr_core import camera, settings
from gdr.gdr_core.families import Distribution
from gdr.gdr_core.sampling import SAMPLES
from gdr.gdr_core.settings import DEFAULT_ESTIMATOR, PACES, RunSettings, TargetSettings
from gdr.gdr_core.supershape import view
from gdr.gdr_core.supershape.parameters import NAMES, PARAMETERS

from trainer import estimators

DEMO = RunSettings(
    targets=TargetSettings(hidden={name: Distribution(mean=2.25, std=0.1) for name in ("m1", "m2")})
).filled()


def test_an_untouched_panel_is_the_reference_methods_demo(scene):
    found = from_scene.to_settings(scene)
    found.check()
    assert settings.to_dict(found.filled()) == settings.to_dict(DEMO)


def test_a_scene_that_no_panel_has_met_is_the_demo_too(addon):
    scene = bpy.data.scenes.new("Other")
    assert len(scene.gdr.parameters) == 0
    found = from_scene.to_settings(scene)
    assert settings.to_dict(found.filled()) == settings.to_dict(DEMO)


def test_filling_keeps_what_is_there(scene):
    items = scene.gdr.parameters
    items["n1_1"].value = 7.0
    items.remove(items.find("m1"))
    items.add().name = "nonsense"
    items.move(0, 5)
    defaults.ensure(scene)
    assert [item.name for item in items] == list(NAMES)
    assert items["n1_1"].value == 7.0
    assert items["m1"].mean == pytest.approx(1.2)


def test_folder_and_numbers_arrive(scene, tmp_path):
    gdr = scene.gdr
    gdr.target, gdr.folder = "FOLDER", str(tmp_path)
    gdr.batch, gdr.steps, gdr.max_renders, gdr.seed = 32, 7, 640, 5
    gdr.size, gdr.renderer = "128", "solid"
    scene.gdr_supershape.grid = (40, 30)
    item = gdr.parameters["n1_1"]
    item.mode, item.family = "OPTIMISE", "bounded"
    item.low, item.high, item.mean, item.std = 1.0, 9.0, -0.25, 0.7
    gdr.parameters["m2"].mode, gdr.parameters["m2"].value = "FIX", 9.5
    found = from_scene.to_settings(
        scene, workers=3, worker_memory=900, recycle_after=500, blender="/x/blender"
    )
    found.check()
    assert found.targets.folder.rstrip("/") == str(tmp_path)
    assert found.targets.hidden == {}
    assert (found.training.batch, found.training.steps, found.training.max_renders) == (32, 7, 640)
    assert (found.seed, found.training.size) == (5, 128)
    assert (found.rendering.renderer, found.scene.options["grid"]) == ("solid", [40, 30])
    assert found.rendering.samples == 1
    assert (found.rendering.workers, found.rendering.blender) == (3, "/x/blender")
    assert (found.rendering.worker_memory, found.rendering.recycle_after) == (900, 500)
    assert found.optimised == ("m1", "n1_1")
    assert found.parameters["n1_1"].distribution == Distribution(
        family="bounded", mean=-0.25, std=0.7, low=1.0, high=9.0
    )
    assert found.parameters["m2"].value == 9.5


def test_what_the_grid_leaves_open_follows_the_image_size(scene):
    gdr = scene.gdr
    assert from_scene.to_settings(scene).scene.options["grid"] == [100, 100]
    gdr.size = "256"
    scene.gdr_supershape.grid = (0, 50)
    assert from_scene.to_settings(scene).scene.options["grid"] == [148, 50]


def test_how_cycles_renders_arrives(scene):
    gdr = scene.gdr
    gdr.renderer, gdr.denoise, gdr.render_device = "cycles", True, "cpu"
    found = from_scene.to_settings(scene).rendering
    assert (found.renderer, found.denoise, found.device) == ("cycles", True, "cpu")
    assert found.samples == SAMPLES["cycles"].default
    gdr.samples = 7
    assert from_scene.to_settings(scene).rendering.samples == 7
    gdr.renderer = "workbench"
    assert "7 samples are not offered by workbench" in from_scene.problem(scene)
    gdr.renderer = "fast"
    assert "choose 1, 4, 9 or 16" in from_scene.problem(scene)
    gdr.samples = 4
    assert from_scene.problem(scene) == ""


def test_a_relative_folder_is_made_absolute(scene, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    scene = bpy.context.scene
    scene.gdr.target, scene.gdr.folder = "FOLDER", "//targets"
    assert from_scene.to_settings(scene).targets.folder == str(tmp_path / "targets")


def test_problems_are_sentences(scene):
    gdr = scene.gdr
    assert from_scene.problem(scene) == ""
    gdr.target = "FOLDER"
    assert "folder" in from_scene.problem(scene)
    gdr.target = "HIDDEN"
    for item in gdr.parameters:
        item.mode = "FIX"
    assert from_scene.problem(scene) == ("No parameter is optimised; choose one at least.")


def test_readable_units_are_views_on_the_stored_numbers(scene):
    item = scene.gdr.parameters["m1"]
    assert item.start_value == pytest.approx(np.exp(1.2), rel=1e-5)
    assert item.start_low == pytest.approx(np.exp(0.8), rel=1e-5)
    item.start_value = 9.5
    assert item.mean == pytest.approx(np.log(9.5), rel=1e-5)
    assert item.std == pytest.approx(0.4)
    item.start_high = 9.5 * np.exp(0.1)
    assert item.std == pytest.approx(0.1, rel=1e-3)
    assert item.start_value == pytest.approx(9.5, rel=1e-5)
    item.start_value = -1.0  # Outside the family's support.
    assert item.start_value == pytest.approx(9.5, rel=1e-5)
    item.start_low = 20.0  # Above the middle.
    assert item.std > 0
    item.mean = 1000.0
    assert np.isfinite(item.start_value)


@pytest.mark.parametrize("family", ["lognormal", "normal", "bounded"])
def test_every_parameter_starts_usable_in_every_family(scene, family):
    for item, parameter in zip(scene.gdr.parameters, PARAMETERS, strict=True):
        item.family, item.mode = family, "OPTIMISE"
        item.distribution_of().check(parameter.name)
    from_scene.to_settings(scene).check()


def test_a_camera_in_the_reference_place_is_the_reference_camera(scene):
    data = bpy.data.cameras.new("Reference")
    data.lens, data.sensor_width, data.sensor_fit = view.LENS_MM, 36.0, "AUTO"
    data.clip_start, data.clip_end = 0.1, 100.0
    thing = bpy.data.objects.new("Reference", data)
    scene.collection.objects.link(thing)
    thing.matrix_world = preview.Matrix(
        camera.look_at(view.LOCATION, (0, 0, 0)).tolist()
    ).inverted()
    thing.scale = thing.scale * 2.0
    scene.gdr_supershape.camera = thing
    # The render's own aspect ratio must not matter.
    scene.render.resolution_x, scene.render.resolution_y = 1920, 1080
    bpy.context.view_layer.update()
    found = msgspec.convert(from_scene.to_settings(scene).scene.options["camera"], camera.Camera)
    for mine, reference in zip(found.arrays(), view.reference_camera().arrays(), strict=True):
        np.testing.assert_allclose(mine, reference, atol=1e-4)


def test_grid_and_camera_of_an_old_file_are_taken_over(scene, tmp_path):
    saved = scene
    if hasattr(scene, "bl_system_properties_get"):
        saved = scene.bl_system_properties_get(do_create=True)
    scene.gdr.steps = 11
    saved["gdr"]["grid"], saved["gdr"]["camera"] = [40, 30], scene.camera
    assert tuple(scene.gdr_supershape.grid) == (0, 0)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "old.blend"))
    for name in ("old.blend", "again.blend"):
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / name))
        scene = bpy.context.scene
        assert tuple(scene.gdr_supershape.grid) == (40, 30)
        assert scene.gdr_supershape.camera == scene.camera
        assert scene.gdr.steps == 11
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "again.blend"))


def test_settings_survive_saving(scene, tmp_path):
    scene.gdr.parameters["m1"].mean = 1.5
    scene.gdr.steps = 11
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    assert bpy.context.scene.gdr.steps == 100
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "file.blend"))
    assert bpy.context.scene.gdr.steps == 11
    assert bpy.context.scene.gdr.parameters["m1"].mean == 1.5


def test_the_panel_offers_the_trainers_estimators(scene):
    found = [item.identifier for item in scene.gdr.bl_rna.properties["estimator"].enum_items]
    assert found == list(estimators.ESTIMATORS) == list(PACES)
    assert scene.gdr.estimator == found[0] == DEFAULT_ESTIMATOR
    scene.gdr.estimator = "adversarial"
    assert from_scene.to_settings(scene).training.estimator == "adversarial"


def test_an_estimator_brings_its_batch_and_steps(scene):
    gdr = scene.gdr
    assert (gdr.batch, gdr.steps) == PACES["regression"]
    gdr.estimator = "adversarial"
    assert (gdr.batch, gdr.steps) == PACES["adversarial"]
    gdr.estimator = "regression"
    assert (gdr.batch, gdr.steps) == PACES["regression"]
    gdr.steps = 33
    gdr.estimator = "adversarial"
    assert (gdr.batch, gdr.steps) == (64, 33)
