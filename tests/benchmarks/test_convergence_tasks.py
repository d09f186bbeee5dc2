# SPDX-License-Identifier: GPL-3.0-or-later
"""What is hidden, and what it is seen through."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.convergence import nuisances
from benchmarks.convergence.baselines.base import energy_distance
from benchmarks.convergence.tasks import TASKS, targets_of, truth_of


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_consistent(name):
    task, truth = TASKS[name], truth_of(TASKS[name], 3)
    assert targets_of(task, 3).shape == (task.count, len(task.names))
    assert len(truth.mean) == len(truth.std) == len(truth.start) == len(task.names)
    assert task.within <= task.limit
    assert np.array_equal(targets_of(task, 3), targets_of(task, 3))


def test_the_reference_draws_as_earlier_measurements_did():
    expected = 2.25 + 0.1 * np.random.default_rng(7).normal(size=(64, 2))
    assert np.allclose(targets_of(TASKS["reference"], 7), expected)


def test_correlated_parameters_are_drawn_correlated():
    x = truth_of(TASKS["unequal"], 0).draw(20000, np.random.default_rng(0))
    assert np.corrcoef(x.T)[0, 1] == pytest.approx(0.7, abs=0.02)
    assert x.std(0) == pytest.approx([0.3, 0.05], rel=0.03)


def pictures():
    images = np.full((3, 64, 64, 3), 61, dtype=np.uint8)
    images[:, 20:40, 10:30] = 180
    return images


def test_shift_moves_right_and_down_and_fills_with_background():
    moved = nuisances.shift(pictures(), (1, 2, 3))
    assert (moved[:, 22:42, 12:32] == 180).all()
    assert (moved[:, :2] == (1, 2, 3)).all()
    assert (moved[:, :, :2] == (1, 2, 3)).all()


def test_exposure_keeps_black_and_white_and_darkens_the_rest():
    levels = np.array([0, 128, 255], dtype=np.uint8)
    assert nuisances.expose(levels).tolist() == [0, 56, 255]


def test_noise_is_as_strong_as_it_says():
    images = np.full((4, 64, 64, 3), 128, dtype=np.uint8)
    noisy = nuisances.add_noise(images, np.random.default_rng(0))
    assert noisy.std() == pytest.approx(nuisances.NOISE, rel=0.02)
    assert noisy.dtype == np.uint8


def test_jpeg_changes_a_little():
    off = np.abs(nuisances.compress(pictures()).astype(int) - pictures())
    assert 0 < off.mean() < 5


def test_energy_distance_is_zero_for_like_samples_and_grows_with_the_gap():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 400, 5, generator=generator)
    near, far = energy_distance(a, b), energy_distance(a + 3, b)
    assert abs(near) < 0.05
    assert far > 2
    assert energy_distance(torch.stack((a, a + 3)), b).tolist() == pytest.approx(
        [near.item(), far.item()], abs=1e-4
    )
