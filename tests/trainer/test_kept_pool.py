# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool that is kept between runs, whose scenes may be others: real workers, real images."""

from contextlib import closing

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from pool_helpers import rows, settings, workers

from gdr_core.camera import SENSOR_MM, Camera, look_at, perspective
from gdr_core.settings import RunSettings, SceneSettings, TrainingSettings
from trainer.rendering.kept_pool import KeptPool
from trainer.rendering.open import open_pool

pytestmark = pytest.mark.slow

FINE = settings(workers=1)
COARSE = replace(FINE, scene=SceneSettings(options={"grid": (8, 8)}))
CAMERA = Camera.from_matrices(
    look_at((3.0, -6.0, 2.0), (0.0, 0.0, 0.0)), perspective(80.0, SENSOR_MM, 0.1, 100.0)
)
MOVED = replace(
    FINE,
    scene=SceneSettings(options=FINE.scene.options | {"camera": msgspec.to_builtins(CAMERA)}),
)


def fresh(run: RunSettings) -> np.ndarray:
    """Return the images of a pool that nobody had before."""
    with open_pool(run, lambda: None) as pool:
        return pool.render(rows(8))


def of_next_run(kept: KeptPool, run: RunSettings, folder) -> tuple[np.ndarray, list]:
    """Make a run with a kept pool; return images and the workers' processes."""
    with kept.lend(run, lambda: None, folder) as pool:
        images, processes = pool.render(rows(8)), workers()
    kept.rest()
    return images, processes


@pytest.mark.parametrize("other", [COARSE, MOVED], ids=["grid", "camera"])
def test_a_run_with_another_scene_has_workers_and_images_of_its_own(tmp_path, other):
    with closing(KeptPool()) as kept:
        first, processes = of_next_run(kept, FINE, tmp_path)
        again, same = of_next_run(kept, FINE, tmp_path)
        second, others = of_next_run(kept, other, tmp_path)
        third, _ = of_next_run(kept, FINE, tmp_path)
    assert same == processes
    assert not set(processes) & set(others)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(second, fresh(other))
    for images in (again, third):
        np.testing.assert_array_equal(images, first)
    assert workers() == []


def test_workers_that_are_used_for_another_scene_draw_that_one(tmp_path):
    """What a worker keeps is kept by scene, so that even the same one would not mix them up."""
    larger = replace(FINE, scene=SceneSettings(), training=TrainingSettings(size=64))
    runs = [COARSE, MOVED, larger, FINE]
    with open_pool(FINE, lambda: None) as pool:
        first, processes = pool.render(rows(8)), workers()
        found = []
        for run in runs:
            assert pool.idle(5.0)
            pool.reuse(run, lambda: None, tmp_path, lambda text: None)
            found.append(pool.render(rows(8)))
        assert workers() == processes
    for images, run in zip(found, runs, strict=True):
        np.testing.assert_array_equal(images, fresh(run))
    np.testing.assert_array_equal(found[-1], first)
