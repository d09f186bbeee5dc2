# SPDX-License-Identifier: GPL-3.0-or-later
"""The pool with real Blenders, some of which die."""

import os
import shutil
import signal
import time

import numpy as np
import pytest
from pool_helpers import LIGHT, rows, settings, until, warm_up, workers

from gdr_core.errors import GdrError
from trainer.rendering import blender
from trainer.rendering.open import open_pool
from trainer.rendering.workers.batch import AHEAD, LARGEST_JOB
from trainer.rendering.workers.dispatcher import IN_FLIGHT
from trainer.run.controls import Stopped

SETTINGS = settings()


@pytest.fixture(scope="module")
def expected():
    with open_pool(settings(workers=1), lambda: None) as pool:
        return pool.render(rows(40))


def test_images_come_back_in_the_order_of_the_rows(expected):
    assert expected.shape == (40, 32, 32, 3)
    assert len(np.unique(expected.reshape(40, -1), axis=0)) == 40
    with open_pool(SETTINGS, lambda: None) as pool:
        np.testing.assert_array_equal(pool.render(rows(40)), expected)
        np.testing.assert_array_equal(pool.render(rows(40)[7:8]), expected[7:8])
        assert pool.render(rows(0)).shape == (0, 32, 32, 3)
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
        # One that still starts is waited for much longer.
        until(lambda: all(worker.ready for worker in pool.workers), lambda: pool.render(rows(8)))
        victim = workers()[0]
        polls = 0
        for _ in range(30):
            np.testing.assert_array_equal(pool.render(rows(40)), expected)
        deadline = time.monotonic() + 20
        while victim.is_running() and time.monotonic() < deadline:
            pool.render(rows(4))
        assert not victim.is_running()
    assert workers() == []


def test_leaving_while_it_waits_leaves_no_process():
    def stop():
        raise Stopped

    with pytest.raises(Stopped), open_pool(SETTINGS, stop) as pool:
        pool.render(rows(4))
    assert workers() == []


def test_a_stream_has_the_same_images_in_the_same_order(expected):
    with open_pool(settings(workers=1), lambda: None) as pool:
        many = np.tile(rows(40), (20, 1))
        found = list(pool.stream(many))
        np.testing.assert_array_equal(np.concatenate(found), np.tile(expected, (20, 1, 1, 1)))
        assert [len(images) for images in found] == [len(images) for images in pool.stream(many)]
        assert len(found) == 13
        assert list(pool.stream(rows(0))) == []


def test_a_stream_goes_on_when_a_worker_is_lost_and_keeps_its_order(expected):
    with open_pool(SETTINGS, lambda: None) as pool:
        warm_up(pool)
        victim = workers()[0]
        taken = []
        for images in pool.stream(np.tile(rows(40), (40, 1))):
            taken.append(images)
            if len(taken) == 3:
                victim.kill()
        np.testing.assert_array_equal(np.concatenate(taken), np.tile(expected, (40, 1, 1, 1)))


def test_a_stream_waits_for_who_takes_its_images_and_may_be_left(expected):
    with open_pool(SETTINGS, lambda: None) as pool:
        warm_up(pool)
        made = sum(worker.rendered for worker in pool.workers)
        stream = pool.stream(np.tile(rows(40), (500, 1)))
        first = next(stream)
        time.sleep(1.0)
        next(stream)
        # 20,000 would be made in some seconds if nobody waited for anybody.
        ahead = sum(worker.rendered for worker in pool.workers) - made
        assert ahead <= AHEAD * IN_FLIGHT * 2 * LARGEST_JOB
        shown = np.tile(expected, (2, 1, 1, 1))[: len(first)]
        np.testing.assert_array_equal(first, shown)
        np.testing.assert_array_equal(pool.render(rows(40)), expected)


def test_what_cannot_be_rendered_gets_a_sentence():
    with (
        open_pool(SETTINGS, lambda: None) as pool,
        pytest.raises(GdrError, match=r"of shape \(N, 13\), not float64 \(\d, 5\)"),
    ):
        pool.render(np.zeros((3, 5), np.float32))


def test_a_computer_without_opengl_is_told_what_to_install(monkeypatch):
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", os.devnull)
    with (
        pytest.raises(GdrError, match="apt-get install libegl1 libgl1-mesa-dri"),
        open_pool(SETTINGS, lambda: None) as pool,
    ):
        pool.render(rows(2))
    assert workers() == []
    found = blender.probe("bpy")
    assert not found.ok
    assert found.text == blender.NO_GL


def test_a_nuisance_is_a_column_like_any_other(expected):
    lit = rows(40)
    lit[:, LIGHT] = np.arange(40) // 2
    with open_pool(SETTINGS, lambda: None) as pool:
        images = pool.render(lit)
        np.testing.assert_array_equal(pool.render(lit), images)
        np.testing.assert_array_equal(pool.render(rows(40)), expected)
    np.testing.assert_array_equal(images[:2], expected[:2])
    assert (np.abs(images.astype(int) - expected)[2:].mean(axis=(1, 2, 3)) > 0.5).all()


def test_a_batch_that_is_given_up_leaves_nothing_behind(expected):
    def check():
        if giving_up and any(worker.calls for worker in pool.workers):
            raise Stopped

    with open_pool(SETTINGS, check) as pool:
        giving_up = True
        with pytest.raises(Stopped):
            pool.render(rows(40)[::-1])
        giving_up = False
        np.testing.assert_array_equal(pool.render(rows(40)), expected)


def test_a_program_that_is_no_blender_gets_a_sentence():
    with (
        pytest.raises(GdrError, match="is no Blender that starts; set GDR_BLENDER"),
        open_pool(settings(blender=shutil.which("true")), lambda: None),
    ):
        pass


def test_only_a_crash_is_put_down_to_opengl():
    assert blender.explain_death(-signal.SIGSEGV, "") == blender.NO_GL
    assert "exit code -9" in blender.explain_death(-signal.SIGKILL, "")


def test_a_library_that_is_missing_is_named_with_its_package():
    said = "ImportError: libXi.so.6: cannot open shared object file: No such file or directory\n"
    text = blender.explain_death(1, f"Traceback\n{said}")
    assert "libXi.so.6" in text
    assert "sudo apt-get install" in text
    assert "libxi6" in text
    other = blender.explain_death(127, said.replace("libXi", "libtbb-other"))
    assert "libtbb-other.so.6" in other


def test_a_blender_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("GDR_BLENDER", "/does/not/exist")
    with pytest.raises(GdrError, match="no Blender at /does/not/exist; set GDR_BLENDER"):
        blender.find()
    with pytest.raises(GdrError, match="no Blender at /nor/this"):
        blender.find("/nor/this")
    assert blender.find("bpy") == "bpy"
