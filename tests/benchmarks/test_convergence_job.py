# SPDX-License-Identifier: GPL-3.0-or-later
"""One run, with a renderer that needs no Blender."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import torch

from benchmarks.convergence import contestants
from benchmarks.convergence.contestants import CONTESTANTS, Contestant
from benchmarks.convergence.job import Job, run
from benchmarks.convergence.scene import SCENE, rows_of
from benchmarks.convergence.score import judge
from benchmarks.convergence.store import Store


@pytest.fixture(autouse=True)
def one_thread():
    """As in a worker; several threads hinder each other in such small networks."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Discs:
    """A scene of discs: ``m1`` is their radius, ``m2`` their brightness."""

    background = (61, 61, 61)

    def render(self, x, names, light=None, background=None):
        return self.render_rows(rows_of(x[:, :2], ("m1", "m2")))

    def render_rows(self, rows, light=None, background=None):
        row, column = np.mgrid[:64, :64] - 31.5
        inside = np.hypot(row, column)[None] < np.clip(2 * rows[:, 0], 1, 30)[:, None, None]
        level = np.clip(70 + 4 * rows[:, 6], 70, 255)[:, None, None]
        grey = np.where(inside, level, 61).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=3)


@pytest.mark.parametrize("name", CONTESTANTS)
def test_a_contestant_makes_a_record_that_can_be_kept_and_judged(name, tmp_path):
    if CONTESTANTS[name].missing:
        pytest.skip(CONTESTANTS[name].missing)
    job = Job("reference", name, 0, limit=60)
    record = json.loads(json.dumps(run(job, Discs()))) | {"sources": "test"}
    assert record["error"] is None
    assert record["renders"] >= 60
    assert np.isfinite(judge(record).mean_error)
    store = Store(tmp_path)
    assert not store.has(job)
    store.write(job, record)
    assert store.has(job)
    assert not Store(tmp_path, fresh=True).has(job)
    assert not store.has(Job("reference", name, 0, limit=80))


def test_a_run_repeats_itself():
    job = Job("reference", "mmd", 5, limit=96)
    first, second = run(job, Discs()), run(job, Discs())
    for one, other in zip(first["history"], second["history"], strict=True):
        assert one["mean"] == other["mean"]


def test_after_a_mismatch_each_render_is_in_another_light(monkeypatch):
    class Lit(Discs):
        lights: list = []

        def render_rows(self, rows, light=None, background=None):
            self.lights.append(rows[:, SCENE.names.index("light")])
            return super().render_rows(rows)

    def make(model, targets, generator):
        estimator = CONTESTANTS["mmd"].make(model, targets, generator)
        estimator.mismatched = True
        return estimator

    monkeypatch.setitem(CONTESTANTS, "lit", Contestant("lit", make))
    renders = run(Job("reference", "lit", 0, limit=60), Lit())["renders"]
    given = np.concatenate([lights for lights in Lit.lights if lights.any()])
    assert len(set(given.tolist())) == len(given) == renders
    own = [lights for lights in Lit.lights if not lights.any()]
    assert own  # The targets and the judge's pictures.


def test_an_estimator_that_breaks_has_failed(monkeypatch):
    def make(model, targets, generator):
        estimator = CONTESTANTS["mmd"].make(model, targets, generator)
        estimator.update = lambda x, images: 1 / 0
        return estimator

    monkeypatch.setitem(CONTESTANTS, "broken", Contestant("broken", make))
    record = run(Job("reference", "broken", 0, limit=60), Discs())
    assert "ZeroDivisionError" in record["error"]
    assert not judge(record).success


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(contestants.importlib.util, "find_spec", lambda name: None)
    assert "pip install" in CONTESTANTS["cma"].missing
    assert CONTESTANTS["mmd"].missing == ""
    assert importlib.util.find_spec("cma") is None  # The patch is what was seen.


def test_a_claimed_job_is_nobody_elses(tmp_path):
    job = Job("reference", "mmd", 0)
    with Store(tmp_path).claim(job) as mine, Store(tmp_path).claim(job) as theirs:
        assert (mine, theirs) == (True, False)
    with Store(tmp_path).claim(job) as mine:
        assert mine
