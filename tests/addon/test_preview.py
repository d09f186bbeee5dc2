# SPDX-License-Identifier: GPL-3.0-or-later
"""The preview shows samples, and touches nothing that it did not make."""

import time

import bpy
import numpy as np
import pytest
from gdr.gdr_addon import ids
from gdr.gdr_addon.run import contact_sheet
from gdr.gdr_addon.scenes.supershape import preview
from gdr.gdr_core.supershape import superformula
from gdr.gdr_core.supershape.parameters import defaults


@pytest.fixture
def sheet(tmp_path):
    image = bpy.data.images.new("Sheet", 16, 16)
    image.filepath_raw, image.file_format = str(tmp_path / "sheet.png"), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return tmp_path / "sheet.png"


def _names():
    return {
        kind: set(getattr(bpy.data, kind).keys())
        for kind in ("objects", "meshes", "images", "collections")
    }


def _rows(parameters):
    """Return shapes ``(K, 12)`` in the scene's own light as rows."""
    return np.column_stack((parameters, np.zeros(len(parameters))))


def _show(scene, parameters, count):
    updates = preview.Updates()
    updates.show(_rows(parameters), count)
    return updates, updates.work(scene, time.perf_counter, time.perf_counter() + 10)


def _shape(scene, number):
    return next(o for o in preview.find(scene).objects if o.get(ids.PREVIEW_TAG) == number)


def test_it_comes_and_goes_without_a_trace(scene, sheet):
    before = _names()
    selected = [o.name for o in bpy.context.selected_objects]
    preview.build(scene, 3)
    preview.add_sheet(scene, sheet)
    preview.add_sheet(scene, sheet)
    made = preview.find(scene).objects
    assert len(made) == 10
    assert all(thing.hide_select and thing.hide_render for thing in made)
    assert [o.name for o in bpy.context.selected_objects] == selected
    assert preview.remove(scene)
    assert _names() == before
    assert not preview.remove(scene)


def test_building_again_replaces(scene):
    preview.build(scene, 4)
    preview.build(scene, 2)
    assert len(preview.find(scene).objects) == 4
    assert len([m for m in bpy.data.meshes if m.name.startswith("GDR Preview")]) == 4


def test_the_newest_samples_are_shown(scene):
    preview.build(scene, 2)
    samples = np.stack([defaults()] * 3)
    samples[:, 0] = (2.0, 5.0, 9.0)
    updates, moved = _show(scene, samples, 4)
    assert moved
    assert not updates.pending
    for number in range(4):
        mesh = _shape(scene, number).data
        points = np.array([v.co for v in mesh.vertices])
        wanted = superformula.surface(samples[number % 3], preview.GRID)[0].reshape(-1, 3)
        np.testing.assert_allclose(points, wanted, atol=1e-5)


def test_a_shape_that_explodes_stays_in_its_cell(scene):
    preview.build(scene, 1)
    sample = defaults()
    sample[3] = 0.0  # 1 / n1
    sample[4] = np.nan
    _show(scene, sample[None], 1)
    points = np.array([v.co for v in _shape(scene, 0).data.vertices])
    assert np.isfinite(points).all()
    assert abs(points).max() <= 2.0


def test_work_stops_at_its_time(scene):
    preview.build(scene, 4)
    updates = preview.Updates()
    updates.show(_rows(defaults()[None]), 16)
    ticks = iter(range(100))
    assert updates.work(scene, lambda: next(ticks), 2)
    assert updates.pending


def test_what_the_person_deletes_is_passed_over(scene):
    preview.build(scene, 2)
    bpy.data.objects.remove(_shape(scene, 1))
    assert _show(scene, defaults()[None], 4)[1]
    bpy.data.collections.remove(preview.find(scene))
    updates, moved = _show(scene, defaults()[None], 4)
    assert not moved
    assert not updates.pending


def test_what_the_person_puts_in_is_kept(scene):
    collection = preview.build(scene, 2)
    collection.objects.link(bpy.data.objects["Cube"])
    preview.remove(scene)
    assert [thing.name for thing in collection.objects] == ["Cube"]
    assert preview.find(scene) is None


def test_an_edited_mesh_is_left_alone(scene):
    preview.build(scene, 1)
    mesh = _shape(scene, 0).data
    mesh.clear_geometry()
    _show(scene, defaults()[None], 1)
    assert len(mesh.vertices) == 0


def test_a_shape_in_edit_mode_is_passed_over(scene):
    preview.build(scene, 2)
    shape = _shape(scene, 0)
    shape.hide_select = False
    bpy.context.view_layer.objects.active = shape
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        _show(scene, np.stack([defaults()] * 4), 4)
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    assert all(vertex.co.length == 0.0 for vertex in _shape(scene, 0).data.vertices)
    assert _shape(scene, 1).data.vertices[0].co.length > 0.0


def test_a_persons_image_of_that_name_is_not_used(scene, sheet):
    own = bpy.data.images.new(ids.PREVIEW_IMAGE, 4, 4)
    assert contact_sheet.image(sheet) != own
