# SPDX-License-Identifier: GPL-3.0-or-later
"""A real worker process, started as the trainer starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from drawn_shapes import SIZE, mask, rows, scene, simple_shapes, wild_shapes
from gdr.blendtorch import btt
from gdr.gdr_core.messages import (
    PauseRun,
    RenderFailure,
    RenderReply,
    RenderRequest,
    WorkerReady,
    pack,
    unpack,
)

ENTRY = Path(__file__).resolve().parents[2] / "gdr_addon" / "worker_entry.py"
WAIT_MS = 60_000


class Client:
    def __init__(self, channel, process):
        self.channel = channel
        self.process = process
        self._id = 0

    def send_request(self, **changes) -> int:
        self._id += 1
        fields = {
            "id": self._id,
            "scene": scene(),
            "rows": rows(simple_shapes(4)),
            "size": SIZE,
            "renderer": "fast",
        }
        self.channel.send(**pack(RenderRequest(**{**fields, **changes})))
        return self._id

    def answer(self):
        data = self.channel.recv(WAIT_MS)
        assert data is not None, "the worker did not answer"
        return unpack(data)

    def ask(self, **changes):
        number = self.send_request(**changes)
        reply = self.answer()
        assert reply.id == number
        return reply


@pytest.fixture(scope="module")
def worker():
    with btt.BlenderLauncher(
        None,
        ENTRY,
        named_sockets=["CTRL"],
        background=True,
        factory_startup=True,
        blend_path="bpy",
    ) as launcher:
        address = launcher.launch_info.addresses["CTRL"][0]
        with btt.DuplexChannel(address) as channel:
            client = Client(channel, launcher.launch_info.processes[0])
            ready = client.answer()
            assert isinstance(ready, WorkerReady)
            assert ready.blender
            assert ready.device
            yield client


@pytest.mark.parametrize("name", ["fast", "solid", "workbench"])
def test_images_are_those_of_the_renderer(worker, renderer, name):
    batch = np.concatenate((simple_shapes(6), wild_shapes(6)))
    reply = worker.ask(rows=rows(batch), renderer=name)
    assert isinstance(reply, RenderReply)
    assert reply.images.dtype == np.uint8
    assert reply.seconds > 0
    np.testing.assert_array_equal(reply.images, renderer(name).render(batch, SIZE))


@pytest.mark.parametrize("name", ["fast", "solid", "workbench"])
def test_lights_reach_the_renderer(worker, renderer, name):
    batch, lights = simple_shapes(4), np.array([0, 1, 1, 2**32 - 1], np.uint32)
    reply = worker.ask(rows=rows(batch, lights), renderer=name)
    np.testing.assert_array_equal(reply.images, renderer(name).render(batch, SIZE, lights))


def test_how_cycles_renders_reaches_it(worker, renderer):
    batch = simple_shapes(1)
    asked = {"samples": 3, "denoise": True, "device": "cpu"}
    reply = worker.ask(rows=rows(batch), renderer="cycles", **asked)
    images = renderer("cycles", **asked).render(batch, SIZE)
    np.testing.assert_array_equal(reply.images, images)
    assert (renderer("cycles", samples=3, device="cpu").render(batch, SIZE) != images).any()
    assert "no render device" in worker.ask(renderer="cycles", device="tpu").text


def test_requests_in_a_row_are_answered_in_order(worker):
    numbers = [worker.send_request() for _ in range(8)]
    assert [worker.answer().id for _ in numbers] == numbers


def test_no_shapes(worker):
    assert worker.ask(rows=np.empty((0, 13))).images.shape == (0, SIZE, SIZE, 3)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"renderer": "povray"}, "no renderer named"),
        ({"size": 3}, "image size is 3"),
        ({"size": 10**9}, "too many"),
        ({"size": -64}, "image size"),
        ({"rows": np.zeros((2, 5))}, "shape"),
        ({"rows": np.zeros(())}, "shape"),
        ({"rows": np.full((2, 13), np.nan)}, "2 of 2 rows"),
        ({"rows": np.zeros((1, 13), complex)}, "array of numbers"),
        ({"scene": scene(grid=(2, 2))}, "grid"),
        ({"scene": scene(grid=(10**6, 10**6))}, "grid"),
        ({"scene": msgspec.structs.replace(scene(), name="mug")}, "no scene named 'mug'"),
        ({"scene": msgspec.structs.replace(scene(), options={"gird": 9})}, "no option 'gird'"),
        ({"renderer": "solid", "samples": 3}, "samples"),
    ],
)
def test_bad_requests_get_a_sentence_and_the_worker_lives(worker, changes, says):
    reply = worker.ask(**changes)
    assert isinstance(reply, RenderFailure)
    assert says in reply.text
    assert reply.text.endswith(".")
    assert mask(worker.ask().images).any()


def test_messages_that_are_no_requests_are_answered(worker):
    for fields in (
        {"nonsense": 1},
        {"kind": "render", "id": 77},
        {"kind": "render", "id": 77, "rows": [1.0], "size": 64},
        pack(PauseRun()),
        {"kind": "render", "id": "seven"},
    ):
        worker.channel.send(**fields)
        reply = worker.answer()
        assert isinstance(reply, RenderFailure)
        assert reply.id == (77 if fields.get("id") == 77 else -1)
    assert mask(worker.ask().images).any()


def test_the_worker_leaves_when_its_peer_does():
    with btt.BlenderLauncher(
        None, ENTRY, named_sockets=["CTRL"], factory_startup=True, blend_path="bpy"
    ) as launcher:
        channel = btt.DuplexChannel(launcher.launch_info.addresses["CTRL"][0])
        assert isinstance(unpack(channel.recv(WAIT_MS)), WorkerReady)
        channel.close()
        launcher.wait(20)
        assert launcher.launch_info.processes[0].returncode == 0


def test_the_probe_prints_one_line_of_json():
    done = subprocess.run(
        [sys.executable, str(ENTRY), "--", "--probe"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == 1
    said = json.loads(lines[0])
    assert said["ok"] is True
    assert {"blender", "renderer", "vendor", "backend"} <= set(said)


def test_renderers_are_kept_but_not_without_end(renderer):
    from gdr.gdr_addon.worker import RenderService

    service = RenderService()
    try:
        for side in (8, 9, 10, 11, 12, 13, 8):
            request = RenderRequest(
                id=side,
                scene=scene(grid=(side, side)),
                rows=rows(simple_shapes(1)),
                size=32,
                renderer="fast",
            )
            assert isinstance(service.answer(request), RenderReply)
        assert len(service._renderers) == 4
    finally:
        service.close()


def test_unexpected_errors_become_failures(monkeypatch):
    from gdr.gdr_addon import worker

    class Broken:
        def render(self, rows, size):
            raise RuntimeError("out of luck")

        def free(self):
            pass

    monkeypatch.setattr(worker, "make_renderer", lambda *args, **options: Broken())
    reply = worker.RenderService().answer(
        RenderRequest(id=5, scene=scene(), rows=rows(simple_shapes(1)), size=32, renderer="fast")
    )
    assert reply.id == 5
    assert "out of luck" in reply.text
