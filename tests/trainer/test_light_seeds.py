# SPDX-License-Identifier: GPL-3.0-or-later
"""An estimator that varies the light is shown its proposals in random light, and nobody else is."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from trainer import cli
from trainer.estimators import ESTIMATORS, Estimator, StepReport
from trainer.rendering.workers.local_pool import LocalPool

BATCH = 4


class Still(Estimator):
    """Proposes the same shape again and again, in random light until the third step."""

    @dataclass(frozen=True)
    class Options:
        """None."""

    seen: list[np.ndarray] = []

    def __init__(self, model, targets, batch, device, generator, options):
        self.model = model
        self.varies_light = True
        self._batch = batch
        self._steps = 0

    def propose(self):
        return torch.full((self._batch, len(self.model.names)), 2.25)

    def update(self, z, images):
        self.seen.append(images)
        self._steps += 1
        self.varies_light = self._steps < 2
        return StepReport()

    def state_dict(self):
        return {"steps": self._steps}

    def load_state_dict(self, state):
        self._steps = int(state["steps"])
        self.varies_light = self._steps < 2


@pytest.fixture
def lights(monkeypatch, tmp_path):
    """Register the estimator; return the lights of all batches to come."""
    given, render = [], LocalPool.render

    def spy(pool, parameters, lights=None):
        given.append(lights)
        return render(pool, parameters, lights)

    monkeypatch.setitem(ESTIMATORS, "still", Still)
    monkeypatch.setattr(LocalPool, "render", spy)
    monkeypatch.setattr(Still, "seen", [])
    (tmp_path / "run.toml").write_text(
        f'[training]\nestimator = "still"\nsize = 32\nbatch = {BATCH}\n'
        "[rendering]\nworkers = 1\n"
        "[targets]\ncount = 8\n[targets.hidden]\n"
        "m1 = {mean = 2.25, std = 0.1}\nm2 = {mean = 2.25, std = 0.1}\n"
    )
    return given


def optimize(*argv) -> None:
    assert cli.main(["optimize", "--quiet", *map(str, argv)]) == 0


def test_each_proposal_has_another_light(lights, tmp_path):
    optimize("--config", tmp_path / "run.toml", "--steps", 3, "--out", tmp_path / "run")
    first, second, third = Still.seen
    lit = np.concatenate((first, second, third[:1]))
    assert len(np.unique(lit.reshape(len(lit), -1), axis=0)) == 2 * BATCH + 1
    assert np.abs(np.diff(third.astype(int), axis=0)).max() <= 1
    assert [None if part is None else part.tolist() for part in lights[:4]] == [
        None,  # The hidden targets.
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        None,
    ]
    assert all(part.dtype == np.uint32 for part in lights[1:3])
    assert len(lights) > 4  # The closing comparison.
    assert all(part is None for part in lights[4:])


def test_a_resumed_run_goes_on_with_the_same_lights(lights, tmp_path):
    optimize("--config", tmp_path / "run.toml", "--steps", 3, "--out", tmp_path / "whole")
    whole = Still.seen.copy()
    Still.seen.clear()
    optimize("--config", tmp_path / "run.toml", "--steps", 1, "--out", tmp_path / "run")
    optimize("--resume", tmp_path / "run", "--steps", 3)
    np.testing.assert_array_equal(Still.seen, whole)
