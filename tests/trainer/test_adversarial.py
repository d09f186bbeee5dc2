# SPDX-License-Identifier: GPL-3.0-or-later
import re

import numpy as np
import pytest
import torch

from gdr_core.errors import BadSettings, GdrError
from gdr_core.settings import RunSettings, TrainingSettings
from trainer import estimators
from trainer.estimators.probability_model import ProbabilityModel
from trainer.run import checkpoint

CPU = torch.device("cpu")


def discs(x: torch.Tensor, size: int = 32) -> np.ndarray:
    """Render in numpy: a bright disc whose radius is the first parameter, which is log-normal."""
    axis = np.arange(size) - size / 2 + 0.5
    distance = np.hypot(*np.meshgrid(axis, axis))
    level = np.clip(x[:, 0].exp().numpy()[:, None, None] - distance + 0.5, 0, 1)
    return np.repeat((level * 255).astype(np.uint8)[..., None], 3, axis=3)


def make(seed=0, **options):
    training = TrainingSettings(estimator="adversarial", size=32, batch=16, options=options)
    model = ProbabilityModel(RunSettings().sampler().start)
    targets = discs(torch.full((16, 1), 12.0).log())
    generator = torch.Generator().manual_seed(seed)
    return estimators.make(training, model, targets, CPU, generator)


def step(estimator):
    x = estimator.propose()
    return x, estimator.update(x, discs(x))


def test_the_model_moves_along_the_score_function_estimate():
    """A step of plain gradient descent equals the formula, written out by hand."""
    estimator = make(gap=-1.0, baseline=0.3)
    model = estimator.model
    estimator.s_optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    mean, std = model.mean.detach().clone(), model.std.detach().clone()
    x, _ = step(estimator)
    with torch.no_grad():
        images = torch.from_numpy(discs(x)).permute(0, 3, 1, 2).float() / 127.5 - 1
        cost = -torch.log(estimator.discriminator(images))
    weight = (cost - 0.3)[:, None]
    grad_mean = (weight * (x - mean) / std**2).mean(0)
    grad_log_std = (weight * (((x - mean) / std) ** 2 - 1)).mean(0)
    torch.testing.assert_close(model.mean.detach(), mean - 1e-3 * grad_mean, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(
        model.log_std.detach(), std.log() - 1e-3 * grad_log_std, rtol=1e-4, atol=1e-6
    )
    assert estimator.baseline == pytest.approx(cost.mean().item(), rel=1e-5)
    second = model.mean.detach().clone()
    step(estimator)
    assert not torch.equal(model.mean, second)


def test_the_baseline_weights_the_newest_batch_by_nine_tenths():
    estimator = make(gap=-1.0)
    step(estimator)
    before = estimator.baseline
    x = estimator.propose()
    images = discs(x)
    estimator.update(x, images)
    with torch.no_grad():
        tensor = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
        newest = -torch.log(estimator.discriminator(tensor)).mean().item()
    assert estimator.baseline == pytest.approx(0.9 * newest + 0.1 * before, rel=1e-4)


def test_the_gate_holds_the_model_until_the_discriminator_tells_them_apart(caplog):
    caplog.set_level("INFO")
    estimator = make()
    start = estimator.model.mean.detach().clone()
    for _ in range(60):
        before = [p.detach().clone() for p in estimator.discriminator.parameters()]
        _, report = step(estimator)
        after = list(estimator.discriminator.parameters())
        d_moved = any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
        assert d_moved == (report.d_real - report.d_sim < 0.7)
        if report.d_real - report.d_sim >= 0.7:
            break
        assert torch.equal(estimator.model.mean, start)
    else:
        pytest.fail("The discriminator never told bright discs of another size apart.")
    assert not torch.equal(estimator.model.mean, start)
    lines = [record.getMessage() for record in caplog.records]
    assert any(re.match(r"D step: mean real 0\.\d+ mean sim 0\.\d+", line) for line in lines)
    assert any(
        re.match(r"S step: \[\S+ +\S+ *\] \[\S+ +\S+ *\] mean sim 0\.\d+", line) for line in lines
    )


def test_every_target_is_used_once_a_pass():
    estimator = make()
    estimator.targets = torch.arange(40.0)
    estimator.batch = 16
    used = torch.cat([estimator._next_targets() for _ in range(5)])
    assert sorted(used[:40].tolist()) == list(range(40))
    assert sorted(used[40:80].tolist()) == list(range(40))
    few = make()
    few.targets = torch.arange(5.0)
    assert sorted(few._next_targets().tolist()) == list(range(5))


def test_a_resumed_run_is_identical(tmp_path):
    whole = make(gap=0.05)
    for _ in range(4):
        step(whole)
    checkpoint.save(tmp_path / "c", whole.state_dict(), {})
    resumed = make(seed=99, gap=0.05)
    resumed.load_state_dict(checkpoint.load(tmp_path / "c"))
    for _ in range(4):
        x, report = step(whole)
        z2, report2 = step(resumed)
        assert torch.equal(x, z2)
        assert report == report2
    assert torch.equal(whole.model.mean, resumed.model.mean)
    assert torch.equal(whole.model.log_std, resumed.model.log_std)


def test_a_discriminator_that_diverges_gets_a_sentence():
    estimator = make(d_lr=1e38)
    step(estimator)
    with pytest.raises(GdrError, match=r"discriminator diverged.*d_lr"):
        step(estimator)


def test_bad_options_get_a_sentence():
    for options, sentence in (
        ({"learning_rate": 0.1}, "no option 'learning_rate'; it has d_lr"),
        ({"width": "wide"}, "option width is 'wide'; give a whole number"),
        ({"width": 32.5}, "option width is 32.5; give a whole number"),
        ({"width": 0}, "option width is 0; give 1 to 1024"),
        ({"d_lr": -1.0}, "option d_lr is -1.0; give a number above zero"),
        ({"s_beta1": 1}, "option s_beta1 is 1.0; give 0 to below 1"),
    ):
        with pytest.raises(BadSettings, match=sentence):
            estimators.check(TrainingSettings(estimator="adversarial", options=options))
    with pytest.raises(BadSettings, match="no estimator named 'magic'; choose one of regression"):
        estimators.check(TrainingSettings(estimator="magic"))
