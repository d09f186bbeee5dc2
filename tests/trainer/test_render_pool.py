# SPDX-License-Identifier: GPL-3.0-or-later
"""The pool with real Blenders, some of which die."""

import os
import shutil
import signal
import time

import msgspec
import numpy as np
import psutil
import pytest

from gdr_core import messages, parameters
from gdr_core.errors import GdrError
from gdr_core.settings import RenderSettings, RunSettings, TrainingSettings
from trainer import blender
from trainer.controls import Stopped
from trainer.render_pool import LocalPool, open_pool

SETTINGS = RunSettings(
    training=TrainingSettings(size=32), rendering=RenderSettings(workers=2, grid=(24, 24))
)


def shapes(n: int) -> np.ndarray:
    """Return ``(n, 12)`` parameters, each of another shape."""
    batch = np.repeat(parameters.defaults()[None], n, axis=0)
    batch[:, parameters.INDEX["m1"]] = np.linspace(2, 14, n)
    batch[:, parameters.INDEX["m2"]] = np.linspace(9, 3, n)
    return batch


def workers() -> list[psutil.Process]:
    """Return the render workers that this process started."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if any(blender.WORKER_SCRIPT.name in word for word in _words(child))
    ]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture(scope="module")
def expected():
    alone = msgspec.structs.replace(SETTINGS.rendering, workers=1)
    settings = msgspec.structs.replace(SETTINGS, rendering=alone)
    with open_pool(settings, lambda: None) as pool:
        return pool.render(shapes(40))


def test_images_come_back_in_the_order_of_the_parameters(expected):
    assert expected.shape == (40, 32, 32, 3)
    assert len(np.unique(expected.reshape(40, -1), axis=0)) == 40
    with open_pool(SETTINGS, lambda: None) as pool:
        np.testing.assert_array_equal(pool.render(shapes(40)), expected)
        # In another place of the atlas a pixel may round the other way.
        alone = pool.render(shapes(40)[7:8]).astype(int)
        assert np.abs(alone - expected[7:8]).max() <= 1
        assert pool.render(shapes(0)).shape == (0, 32, 32, 3)
    assert workers() == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_lost_worker_is_replaced_and_nothing_is_lost(expected, number):
    polls = 0

    def disturb():
        nonlocal polls
        polls += 1
        if polls == 3:
            os.kill(victim.pid, number)

    with open_pool(SETTINGS, disturb) as pool:
        polls = 10
        pool.render(shapes(8))
        victim = workers()[0]
        polls = 0
        for _ in range(30):
            np.testing.assert_array_equal(pool.render(shapes(40)), expected)
        deadline = time.monotonic() + 20
        while victim.is_running() and time.monotonic() < deadline:
            pool.render(shapes(4))
        assert not victim.is_running()
    assert workers() == []


def test_leaving_while_it_waits_leaves_no_process():
    def stop():
        raise Stopped

    with pytest.raises(Stopped), open_pool(SETTINGS, stop) as pool:
        pool.render(shapes(4))
    assert workers() == []


def test_what_cannot_be_rendered_gets_a_sentence():
    with (
        open_pool(SETTINGS, lambda: None) as pool,
        pytest.raises(GdrError, match=r"12|parameters"),
    ):
        pool.render(np.zeros((3, 5), np.float32))


def test_a_computer_without_opengl_is_told_what_to_install(monkeypatch):
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", os.devnull)
    with (
        pytest.raises(GdrError, match="apt-get install libegl1 libgl1-mesa-dri"),
        open_pool(SETTINGS, lambda: None) as pool,
    ):
        pool.render(shapes(2))
    assert workers() == []
    found = blender.probe("bpy")
    assert not found.ok
    assert found.text == blender.NO_GL


def test_a_wrong_answer_loses_the_worker_but_not_its_shapes(monkeypatch):
    class Worker:
        ready, job, request_id, deadline = True, None, -1, float("inf")
        wrong = [True]

        def send(self, request):
            self.request_id = request.id

        def receive(self, timeout_ms):
            size = 1 if Worker.wrong and Worker.wrong.pop() else 32
            images = np.full((len(self.job.parameters), size, size, 3), 9, np.uint8)
            return messages.RenderReply(id=self.request_id, images=images, seconds=0.0)

        def close(self):
            pass

    monkeypatch.setattr(LocalPool, "_start", lambda self: Worker())
    checks = iter(range(100))
    with open_pool(SETTINGS, lambda: next(checks)) as pool:
        assert (pool.render(shapes(40)) == 9).all()


def test_lights_are_cut_like_the_shapes(expected):
    lights = np.arange(40, dtype=np.uint32) // 2
    with open_pool(SETTINGS, lambda: None) as pool:
        images = pool.render(shapes(40), lights)
        np.testing.assert_array_equal(pool.render(shapes(40), lights), images)
        np.testing.assert_array_equal(pool.render(shapes(40), 0 * lights), expected)
        with pytest.raises(GdrError, match="40 shapes"):
            pool.render(shapes(40), lights[:39])
    np.testing.assert_array_equal(images[:2], expected[:2])
    assert (np.abs(images.astype(int) - expected)[2:].mean(axis=(1, 2, 3)) > 0.5).all()


def test_each_request_has_its_part_of_the_lights(monkeypatch):
    class Worker:
        ready, job, request_id, deadline = True, None, -1, float("inf")

        def send(self, request):
            self.request_id = request.id
            asked.append((request.parameters[:, parameters.INDEX["m1"]], request.lights))

        def receive(self, timeout_ms):
            if self.job is None:
                return None
            images = np.zeros((len(self.job.parameters), 32, 32, 3), np.uint8)
            return messages.RenderReply(id=self.request_id, images=images, seconds=0.0)

        def close(self):
            pass

    asked = []
    monkeypatch.setattr(LocalPool, "_start", lambda self: Worker())
    batch, lights = shapes(40), np.arange(100, 140, dtype=np.uint32)
    with open_pool(SETTINGS, lambda: None) as pool:
        pool.render(batch, lights)
        assert [len(part) for _, part in asked] == [16, 16, 8]
        assert all(part.dtype == np.uint32 for _, part in asked)
        assert np.concatenate([part for _, part in asked]).tolist() == lights.tolist()
        m1 = np.concatenate([column for column, _ in asked])
        np.testing.assert_array_equal(m1, batch[:, parameters.INDEX["m1"]].astype(np.float32))
        asked.clear()
        pool.render(batch)
        assert [part.shape for _, part in asked] == [(0,)] * 3


def test_a_batch_that_is_given_up_leaves_nothing_behind(expected):
    def check():
        if giving_up and any(worker.job for worker in pool._workers):
            raise Stopped

    with open_pool(SETTINGS, check) as pool:
        giving_up = True
        with pytest.raises(Stopped):
            pool.render(shapes(40)[::-1])
        giving_up = False
        np.testing.assert_array_equal(pool.render(shapes(40)), expected)


def test_a_program_that_is_no_blender_gets_a_sentence():
    rendering = msgspec.structs.replace(SETTINGS.rendering, blender=shutil.which("true"))
    settings = msgspec.structs.replace(SETTINGS, rendering=rendering)
    with (
        pytest.raises(GdrError, match="is no Blender that starts; set GDR_BLENDER"),
        open_pool(settings, lambda: None),
    ):
        pass


def test_only_a_crash_is_put_down_to_opengl():
    assert blender.explain_death(-signal.SIGSEGV, "") == blender.NO_GL
    assert "exit code -9" in blender.explain_death(-signal.SIGKILL, "")


def test_a_blender_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("GDR_BLENDER", "/does/not/exist")
    with pytest.raises(GdrError, match="no Blender at /does/not/exist; set GDR_BLENDER"):
        blender.find()
    with pytest.raises(GdrError, match="no Blender at /nor/this"):
        blender.find("/nor/this")
    assert blender.find("bpy") == "bpy"
