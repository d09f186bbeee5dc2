# SPDX-License-Identifier: GPL-3.0-or-later
"""A second scene fits behind the seam: it is written here, and nothing else knows it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import ModuleType

import bpy
import msgspec
import numpy as np
import pytest
import torch
from gdr import gdr_core
from gdr.gdr_addon import scenes as addon_scenes
from gdr.gdr_addon.renderers import make_renderer
from gdr.gdr_addon.worker import RenderService
from gdr.gdr_core import scenes
from gdr.gdr_core.families import Distribution
from gdr.gdr_core.messages import RenderFailure, RenderReply, RenderRequest
from gdr.gdr_core.roles import Optimise, Random
from gdr.gdr_core.scene import Parameter
from gdr.gdr_core.scene_definition import SceneDefinition
from gdr.gdr_core.settings import RunSettings, SceneSettings
from gdr.gdr_core.supershape.view import reference_camera

from trainer import estimators
from trainer.estimators.probability_model import ProbabilityModel

SIZE = 32


class BoxOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large the boxes are."""

    side: float = 0.8

    def filled(self, size):
        return self

    def check(self):
        pass


UNIFORM = Distribution(family="uniform", low=0, high=1000)
BOXES = SceneDefinition(
    name="boxes",
    label="Boxes",
    parameters=(
        Parameter(name="x"),
        Parameter(name="red", kind="colour", default=0.5),
        Parameter(name="blue", kind="colour", default=0.5),
        Parameter(name="count", kind="integer", default=1, low=1, high=3),
        Parameter(name="turn", kind="angle", period=90.0),
        Parameter(name="clutter", kind="seed"),
    ),
    options=BoxOptions,
    renderers=("workbench",),
    example={"x": Optimise(distribution=Distribution(family="normal"))},
    example_targets={"x": Distribution(family="normal", mean=0.3, std=0.1)},
    unlisted={"clutter": Random(distribution=UNIFORM)},
)


class OpenedBoxes:
    """Up to three boxes in a row: one that is looked for, others that the clutter moves."""

    background = np.array([40, 40, 40], np.uint8)
    viewport_shading: dict = {}

    def __init__(self, scene):
        self.camera = reference_camera()
        self.scene = bpy.data.scenes.new("Boxes")
        self.scene.render.film_transparent = True
        self.scene.display.shading.color_type = "OBJECT"
        self.scene.display.shading.light = "FLAT"
        self.scene.display_settings.display_device = "sRGB"
        self.scene.view_settings.view_transform = "Standard"
        mesh = bpy.data.meshes.new("Box")
        half = scene.options.get("side", 0.8) / 2
        corners = [(x, y, z) for x in (-half, half) for y in (-half, half) for z in (-half, half)]
        faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
        mesh.from_pydata(corners, [], faces)
        self.boxes = [bpy.data.objects.new("Box", mesh) for _ in range(3)]
        lens = bpy.data.cameras.new("Boxes")
        lens.lens = 100.0
        eye = bpy.data.objects.new("Boxes", lens)
        eye.location = (0.0, 0.0, 12.0)
        for thing in (*self.boxes, eye):
            self.scene.collection.objects.link(thing)
        self.scene.camera = eye

    @contextmanager
    def setting(self):
        def set_row(row):
            x, red, blue, count, turn, clutter = row
            rng = np.random.default_rng(int(clutter))
            for number, box in enumerate(self.boxes):
                box.hide_render = bool(number >= count)
                box.location = (x, 0, 0) if number == 0 else (rng.uniform(-1, 1), 1.2 * number, 0)
                box.color = (red, 0.3, blue, 1.0)
                box.rotation_euler[2] = np.radians(turn)

            self.scene.view_layers[0].update()

        yield set_row

    def close(self):
        for thing in list(self.scene.collection.objects):
            bpy.data.objects.remove(thing)
        bpy.data.scenes.remove(self.scene)


@pytest.fixture
def boxes(monkeypatch):
    """The scene, known by its name to both sides."""
    package = ModuleType(f"{addon_scenes.__name__}.boxes")
    package.open_scene = lambda scene, renderer: OpenedBoxes(scene)
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setitem(scenes.DEFINITIONS, "boxes", BOXES)
    return SceneSettings(name="boxes").resolve()


def of_row(scene, **values):
    return scene.row(values)[None]


def test_each_parameter_reaches_the_picture(boxes):
    made = make_renderer(boxes, "workbench")
    try:
        usual = made.render(of_row(boxes, turn=20.0), SIZE).astype(int)
        for change in ({"x": 0.4}, {"red": 0.9}, {"blue": 0.1}, {"count": 3}, {"turn": 45.0}):
            other = made.render(of_row(boxes, **({"turn": 20.0} | change)), SIZE).astype(int)
            assert (np.abs(other - usual).max(axis=-1) > 8).mean() > 0.01, change
        again = made.render(of_row(boxes, turn=110.0), SIZE)  # A quarter turn is none.
        assert np.abs(again.astype(int) - usual).max() <= 1
        first, second = (
            made.render(of_row(boxes, count=3, clutter=seed), SIZE) for seed in (1.0, 2.0)
        )
        assert (first != second).any()
    finally:
        made.free()


def test_a_worker_renders_it_beside_supershapes_and_mixes_nothing(boxes):
    shape = RunSettings().filled().scene.resolve()
    larger = SceneSettings(name="boxes", options={"side": 1.4}).resolve()
    service = RenderService()
    try:

        def ask(scene, renderer):
            request = RenderRequest(
                id=1, scene=scene, rows=scene.row()[None], size=SIZE, renderer=renderer
            )
            return service.answer(request)

        replies = [ask(boxes, "workbench"), ask(shape, "fast"), ask(larger, "workbench")]
        assert all(isinstance(reply, RenderReply) for reply in replies)
        images = [reply.images for reply in replies]
        assert len({image.tobytes() for image in images}) == 3
        np.testing.assert_array_equal(ask(boxes, "workbench").images, images[0])
        wrong = RenderRequest(
            id=2, scene=boxes, rows=shape.row()[None], size=SIZE, renderer="workbench"
        )
        assert isinstance(service.answer(wrong), RenderFailure)
    finally:
        service.close()


def test_a_renderer_that_cannot_draw_it_gets_a_sentence(boxes):
    settings = RunSettings(scene=SceneSettings(name="boxes"))
    hidden = msgspec.structs.replace(settings.targets, hidden=BOXES.example_targets)
    settings = msgspec.structs.replace(settings, targets=hidden)
    with pytest.raises(gdr_core.errors.BadSettings, match="fast cannot draw the scene boxes"):
        settings.check()


def test_the_default_estimator_finds_place_and_hue_of_a_box(boxes):
    start = {
        "x": Distribution(family="normal", mean=0.0, std=0.25),
        "red": Distribution(family="bounded", mean=0.0, std=0.8),
    }
    truth = {
        "x": Distribution(family="normal", mean=0.4, std=0.1),
        "red": Distribution(family="bounded", mean=1.0, std=0.3),
    }
    roles = {name: Optimise(distribution=given) for name, given in start.items()}
    settings = RunSettings(scene=SceneSettings(name="boxes"), parameters=roles)
    sampler, generator = settings.sampler(), torch.Generator().manual_seed(0)
    made = make_renderer(boxes, "workbench")
    try:
        x = ProbabilityModel(truth).sample(32, generator).double()
        targets = made.render(sampler.rows(x.numpy(), 0, "targets"), SIZE)
        training = msgspec.structs.replace(settings.training, size=SIZE)
        model = ProbabilityModel(sampler.start)
        estimator = estimators.make(training, model, targets, torch.device("cpu"), generator)
        renders, converged = 0, False
        while not converged and renders < 400:
            proposed = estimator.propose()
            images = made.render(sampler.rows(proposed.numpy(), renders), SIZE)
            converged = estimator.update(proposed, images).converged
            renders += len(proposed)
    finally:
        made.free()
    spread = x.std(0, unbiased=False)
    off = (estimator.model.mean.detach().double() - x.mean(0)).abs() / spread
    assert converged
    assert (off < 0.25).all(), off
