# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's own engines show the shapes that ``fast`` shows, in light that is a function of its
seed, and leave nothing behind."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import bpy
import numpy as np
import pytest
from drawn_shapes import (
    CAMERAS,
    SIZE,
    ShapeRenderer,
    broken_shapes,
    mask,
    simple_shapes,
    wild_shapes,
)
from gdr.gdr_addon.renderers import engine_names
from gdr.gdr_addon.scenes.supershape import look
from gdr.gdr_core.camera import Camera, look_at, perspective
from gdr.gdr_core.errors import BadSettings, GdrError
from gdr.gdr_core.sampling import SAMPLES
from gdr.gdr_core.supershape.parameters import from_values
from gdr.gdr_core.supershape.view import reference_camera

pytestmark = pytest.mark.slow

ENGINES = ["workbench", "eevee", "cycles"]
every = pytest.mark.parametrize("name", ENGINES)
KINDS = (
    *("scenes", "objects", "meshes", "cameras", "lights", "worlds", "materials"),
    *("node_groups", "collections", "textures", "linestyles"),
)


def options(name: str) -> dict:
    """Return samples that are enough for a test."""
    return {"samples": 5 if name == "workbench" else 4}


def data_blocks() -> list[int]:
    return [len(getattr(bpy.data, kind)) for kind in KINDS]


def covered(images: np.ndarray, times: int) -> np.ndarray:
    """Return the pixels that a shape covers by half at least, from a picture ``times`` as fine."""
    fine = mask(images)
    count, side = len(fine), fine.shape[1] // times
    return fine.reshape(count, side, times, side, times).mean(axis=(2, 4)) >= 0.5


@every
@pytest.mark.parametrize("camera", ["reference", "top left", "orthographic"])
def test_silhouettes_are_those_of_fast(renderer, name, camera):
    batch = np.concatenate((simple_shapes(2, seed=3), wild_shapes(2, seed=3)))
    view = CAMERAS[camera]
    # Edges are smooth in the one and not in the other: compared where that does not matter.
    fast = covered(renderer("fast", camera=view).render(batch, 4 * SIZE), 4)
    engine = covered(renderer(name, camera=view, samples=1).render(batch, 4 * SIZE), 4)
    assert (fast.mean(axis=(1, 2)) > 0.02).all()
    overlap = (fast & engine).sum(axis=(1, 2)) / (fast | engine).sum(axis=(1, 2))
    assert overlap.min() > 0.97


@every
def test_light_resembles_the_studio(renderer, name):
    batch = np.concatenate((simple_shapes(2), wild_shapes(2)))
    lights = np.array([0, 0, 4, 5], np.uint32)
    fast = renderer("fast").render(batch, SIZE, lights).astype(int)
    engine = renderer(name, **options(name)).render(batch, SIZE, lights)
    shape = mask(fast)
    for row in range(len(batch)):
        # Within 12 levels of 255 on average, and bright where the studio is bright.
        a, b = fast[row][shape[row]].mean(axis=-1), engine[row][shape[row]].mean(axis=-1)
        assert abs(a.mean() - b.mean()) < 12
        assert np.corrcoef(a, b)[0, 1] > 0.6


@every
def test_first_row_is_on_top_and_first_column_left(renderer, name):
    # The camera looks past the shape, to its right and below it.
    view = look_at((0.0, -12.0, 0.0), (0.0, 0.0, 0.0))
    view[:2, 3] += (-1.8, 1.8)
    camera = Camera.from_matrices(view, perspective(60.0, 36.0, 0.1, 100.0))
    sphere = from_values({"m1": 0, "m2": 0})
    made = renderer(name, camera=camera, **options(name))
    shape = mask(made.render(sphere[None], SIZE))[0]
    assert shape[: SIZE // 2, : SIZE // 2].sum() == shape.sum() > 50


@every
def test_a_camera_may_be_shifted_and_stretched(renderer, name):
    projection = perspective(60.0, 36.0, 0.1, 100.0)
    projection[0, 2], projection[1, 2] = 0.3, -0.2
    projection[1, 1] *= 1.5
    camera = Camera.from_matrices(look_at((3.0, -10.0, 2.0), (0.0, 0.0, 0.0)), projection)
    batch = simple_shapes(1, seed=6)
    fast = covered(renderer("fast", camera=camera).render(batch, 4 * SIZE), 4)
    engine = covered(renderer(name, camera=camera, samples=1).render(batch, 4 * SIZE), 4)
    assert (fast & engine).sum() / (fast | engine).sum() > 0.97


@every
def test_cameras_that_no_object_can_be_are_refused_with_a_sentence(renderer, name):
    before = data_blocks()
    sheared = perspective(60.0, 36.0, 0.1, 100.0)
    sheared[0, 1] = 0.5
    scaled = 2.0 * look_at((3.0, -10.0, 2.0), (0.0, 0.0, 0.0))
    scaled[3, 3] = 1.0
    reference = reference_camera()
    for camera in (
        Camera.from_matrices(reference.view, sheared),
        Camera.from_matrices(scaled, reference.projection),
    ):
        with pytest.raises(BadSettings, match=r"use the renderer fast or solid\.$"):
            renderer(name, camera=camera)
    assert data_blocks() == before


@every
def test_the_same_request_gives_the_same_images_in_any_renderer(renderer, name):
    batch = np.concatenate((simple_shapes(2), wild_shapes(2)))
    lights = np.array([0, 1, 2**32 - 1, 0], np.uint32)
    made = renderer(name, **options(name))
    images = made.render(batch, SIZE, lights)
    np.testing.assert_array_equal(made.render(batch, SIZE, lights), images)
    np.testing.assert_array_equal(made.render(batch[::-1], SIZE, lights[::-1])[::-1], images)
    made.render(batch[:1], 2 * SIZE)
    other = renderer(name, **options(name))
    np.testing.assert_array_equal(other.render(batch[1:], SIZE, lights[1:]), images[1:])


@every
def test_a_seed_is_a_light(renderer, name):
    batch = np.repeat(simple_shapes(1), 3, axis=0)
    images = renderer(name, **options(name)).render(batch, SIZE, np.array([0, 5, 6], np.uint32))
    shape = mask(images).all(axis=0)
    for one in range(3):
        for other in range(one):
            difference = np.abs(images[one].astype(int) - images[other])
            assert difference[shape].mean() > 4


@every
def test_shapes_that_cannot_be_drawn_are_background(renderer, name):
    batch = np.concatenate((broken_shapes(), simple_shapes(1)))
    images = renderer(name, **options(name)).render(
        batch, SIZE, np.arange(len(batch), dtype=np.uint32)
    )
    assert mask(images).any(axis=(1, 2)).tolist() == [False] * (len(batch) - 1) + [True]
    assert (images[-1, 0, 0] == look.BACKGROUND_LEVELS).all()


@every
@pytest.mark.parametrize("size", [8, 33, 50])
def test_any_size(renderer, name, size):
    images = renderer(name, **options(name)).render(simple_shapes(2), size)
    assert images.shape == (2, size, size, 3)
    assert mask(images).any(axis=(1, 2)).all()
    empty = renderer(name).render(np.empty((0, 12), np.float32), size)
    assert empty.shape == (0, size, size, 3)


@every
def test_nothing_of_the_persons_changes_and_nothing_stays(name):
    scene, system = bpy.context.scene, bpy.context.preferences.system
    cycles = bpy.context.preferences.addons["cycles"].preferences

    def state() -> list:
        render = scene.render
        return [
            *(scene.name, render.engine, render.filepath, render.resolution_x, render.fps),
            *(scene.view_settings.view_transform, scene.camera, scene.world),
            *(render.image_settings.file_format, render.film_transparent, scene.cycles.samples),
            *(system.use_studio_light_edit, system.viewport_aa, cycles.compute_device_type),
            *(tuple(light.diffuse_color) for light in system.solid_lights),
        ]

    before, settings = data_blocks(), state()
    made = ShapeRenderer(name, **options(name))
    made.render(simple_shapes(2), SIZE, np.array([0, 9], np.uint32))
    assert state() == settings
    made.free()
    assert data_blocks() == before
    assert bpy.context.scene == scene


def test_samples_matter(renderer):
    # The noise of a path tracer falls with the root of its samples.
    batch = simple_shapes(1)
    exact = renderer("cycles", samples=256).render(batch, SIZE).astype(int)
    inner = mask(renderer("fast").render(batch, SIZE))
    errors = [
        np.abs(renderer("cycles", samples=count).render(batch, SIZE) - exact)[inner].mean()
        for count in (2, 32)
    ]
    assert errors[1] < 0.5 * errors[0]


def test_denoising_smooths_the_noise(renderer):
    import _cycles

    batch = simple_shapes(1)
    if not _cycles.with_openimagedenoise:
        with pytest.raises(BadSettings, match=r"cannot denoise; .*\.$"):
            renderer("cycles", denoise=True)
        return
    exact = renderer("cycles", samples=256).render(batch, SIZE).astype(int)
    inner = mask(renderer("fast").render(batch, SIZE))
    errors = [
        np.abs(renderer("cycles", samples=4, denoise=on).render(batch, SIZE) - exact)[inner].mean()
        for on in (False, True)
    ]
    assert errors[1] < errors[0]


def test_a_gpu_that_is_not_there_is_refused_with_a_sentence(renderer):
    from gdr.gdr_addon.renderers.cycles_device import type_of

    if type_of("auto") != "NONE":
        pytest.skip("Cycles has a GPU here.")
    before = data_blocks()
    with pytest.raises(BadSettings, match=r"finds no GPU .* auto or cpu\.$"):
        renderer("cycles", device="gpu")
    assert data_blocks() == before
    batch = simple_shapes(1)
    np.testing.assert_array_equal(
        renderer("cycles", samples=2, device="cpu").render(batch, SIZE),
        renderer("cycles", samples=2, device="auto").render(batch, SIZE),
    )


def test_an_engine_that_is_not_there_is_refused_with_a_sentence():
    scene = bpy.data.scenes.new("Test")
    try:
        with pytest.raises(BadSettings, match=r"no render engine Povray; .*\.$"):
            engine_names.choose_engine(scene, "Povray", "POVRAY_RENDER")
    finally:
        bpy.data.scenes.remove(scene)


@every
def test_a_worker_without_a_window_prints_nothing_of_it(renderer, name, capfd):
    made = renderer(name, **options(name))
    capfd.readouterr()
    made.render(simple_shapes(2), SIZE)
    assert "Saved" not in capfd.readouterr().out


def test_a_picture_that_cannot_be_written_is_a_sentence(renderer, monkeypatch):
    from gdr.gdr_addon.renderers.engine_picture import _File

    made = renderer("workbench")
    monkeypatch.setattr(_File, "open", lambda self: "/proc/nowhere/picture.tga")
    monkeypatch.setattr(_File, "clear", lambda self: None)
    monkeypatch.setattr(_File, "read", lambda self, count: b"")
    with pytest.raises(GdrError, match=r"Workbench (could not render|made no picture).*\.$"):
        made.render(simple_shapes(1), SIZE)


def test_a_system_without_files_in_memory(renderer, monkeypatch):
    made, batch = renderer("workbench"), simple_shapes(2)
    images = made.render(batch, SIZE)
    monkeypatch.delattr(os, "memfd_create")
    before = set(Path(tempfile.gettempdir()).glob("gdr-*"))
    np.testing.assert_array_equal(made.render(batch, SIZE), images)
    assert set(Path(tempfile.gettempdir()).glob("gdr-*")) == before


@every
def test_samples_that_are_not_offered(renderer, name):
    with pytest.raises(BadSettings, match=f"not offered by {name}"):
        renderer(name, samples=0)
    assert SAMPLES[name].default in SAMPLES[name].offered
