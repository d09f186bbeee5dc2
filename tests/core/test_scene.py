# SPDX-License-Identifier: GPL-3.0-or-later
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gdr_core import scenes
from gdr_core.errors import BadSettings
from gdr_core.families import Distribution
from gdr_core.roles import Fixed, Optimise, Random
from gdr_core.sampler import Sampler, uniform_numbers
from gdr_core.scene import KINDS, Parameter, Scene
from gdr_core.scene_definition import SceneDefinition
from gdr_core.settings import RenderSettings, RunSettings, SceneSettings, TargetSettings

ROOT = Path(__file__).parents[2]

MUG = Scene(
    name="mug",
    parameters=(
        Parameter(name="energy", default=2.0, high=10.0),
        Parameter(name="count", kind="integer", default=3),
        Parameter(name="turn", kind="angle", low=-180.0, period=360.0),
        Parameter(name="flag", kind="choice", items=("up", "down", "gone")),
        Parameter(name="red", kind="colour", default=0.5),
        Parameter(name="noise", kind="seed"),
    ),
)
ROLES = {
    "energy": Optimise(distribution=Distribution(mean=0.5, std=0.3)),
    "count": Optimise(distribution=Distribution(family="normal", mean=4.0, std=2.0)),
    "turn": Optimise(distribution=Distribution(family="normal", mean=170.0, std=20.0)),
    "flag": Random(
        distribution=Distribution(family="categorical", probabilities={"up": 3.0, "gone": 1.0})
    ),
    "red": Fixed(value=0.25),
    "noise": Random(distribution=Distribution(family="uniform", low=1, high=1000)),
}


def test_numbers_settle_by_kind():
    x = np.array([[0.1, 2.4, 190.0], [0.2, 2.6, -190.0], [0.3, 7.0, 540.0]])
    rows = Sampler(MUG, ROLES, 0).rows(x, 0)
    energy = np.exp(x[:, 0]).astype(np.float32)
    np.testing.assert_array_equal(rows[:, 0], energy.astype(np.float64))
    assert rows[:, 1].tolist() == [2.0, 3.0, 7.0]
    np.testing.assert_allclose(rows[:, 2], [-170.0, 170.0, -180.0])
    assert set(rows[:, 3]) <= {0.0, 2.0}
    assert rows[:, 4].tolist() == [0.25] * 3
    assert (rows[:, 5] == np.round(rows[:, 5])).all()


def test_columns_of_x_are_the_optimised_parameters_in_the_scenes_order():
    shuffled = dict(reversed(ROLES.items()))
    sampler = Sampler(MUG, shuffled, 0)
    assert sampler.names == ("energy", "count", "turn")
    assert list(sampler.start) == ["energy", "count", "turn"]


def test_a_render_can_be_made_again_alone():
    sampler = Sampler(MUG, ROLES, 5)
    x = np.random.default_rng(0).normal(size=(50, 3))
    together = sampler.rows(x, 100)
    np.testing.assert_array_equal(sampler.rows(x[17:18], 117), together[17:18])
    parts = [sampler.rows(x[:31], 100), sampler.rows(x[31:], 131)]
    np.testing.assert_array_equal(np.concatenate(parts), together)
    other = Sampler(MUG, ROLES, 6).rows(x, 100)
    assert (other[:, 5] != together[:, 5]).mean() > 0.9
    assert (sampler.rows(x, 100, "targets")[:, 5] != together[:, 5]).mean() > 0.9


def test_one_more_nuisance_changes_no_other():
    x = np.zeros((40, 3))
    fewer = ROLES | {"flag": Fixed(value="down")}
    before = Sampler(MUG, fewer, 1).rows(x, 0)
    after = Sampler(MUG, ROLES, 1).rows(x, 0)
    np.testing.assert_array_equal(before[:, 5], after[:, 5])


def test_nuisances_are_distributed_as_they_should_be():
    rows = Sampler(MUG, ROLES, 2).rows(np.zeros((20_000, 3)), 0)
    assert (rows[:, 3] == 0).mean() == pytest.approx(0.75, abs=0.015)  # Five standard errors.
    assert rows[:, 5].min() == 1
    assert rows[:, 5].max() == 1000
    assert rows[:, 5].mean() == pytest.approx(500.5, abs=11)
    share = uniform_numbers("a key", 7, 20_000)
    assert 0 < share.min() < share.max() < 1
    assert share.std() == pytest.approx(12**-0.5, abs=0.005)
    assert np.corrcoef(share, uniform_numbers("another", 7, 20_000))[0, 1] < 0.04


def test_numbers_are_the_same_in_every_version():
    # Philox is specified; these are what this version drew when it was written.
    assert uniform_numbers("0 x light", 0, 3) == pytest.approx(
        [0.06810759, 0.47351616, 0.31235604], abs=1e-7
    )


def test_what_is_kept_for_a_mismatch_is_drawn_for_one_only():
    sampler = RunSettings().sampler()
    x = np.array([[1.2, 3.0]] * 4)
    light = sampler.scene.names.index("light")
    assert (sampler.rows(x, 0)[:, light] == 0).all()
    lit = sampler.rows(x, 0, mismatch=True)[:, light]
    assert len(set(lit)) == 4
    assert (lit > 0).all()


def test_a_digest_is_the_same_in_another_process_and_other_for_another_scene():
    code = "from gdr_core.settings import RunSettings as R; print(R().scene.resolve().digest)"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    scene = RunSettings().scene.resolve()
    assert said == scene.digest
    others = [
        msgspec.structs.replace(scene, name="mug"),
        msgspec.structs.replace(scene, options={"grid": [50, 50]}),
        msgspec.structs.replace(scene, parameters=scene.parameters[1:]),
        msgspec.structs.replace(scene, parameters=scene.parameters[::-1]),
    ]
    assert len({scene.digest, *(other.digest for other in others)}) == 5


def test_what_nobody_names_is_at_its_default_whatever_its_kind(monkeypatch):
    kind = SceneDefinition(
        name="mug",
        label="Mug",
        parameters=MUG.parameters,
        options=scenes.definition("supershape").options,
        renderers=("solid",),
        example={"energy": ROLES["energy"]},
        example_targets={"energy": Distribution()},
    )
    monkeypatch.setitem(scenes.DEFINITIONS, "mug", kind)
    hidden = TargetSettings(hidden={"energy": Distribution()})
    run = RunSettings(
        scene=SceneSettings(name="mug"),
        targets=hidden,
        rendering=RenderSettings(renderer="solid"),
    ).filled()
    run.check()
    assert run.roles["flag"] == Fixed(value="up")
    for sampler in (run.sampler(), run.target_sampler()):
        assert sampler.rows(np.zeros((1, 1)), 0)[0, 1:].tolist() == [3.0, 0.0, 0.0, 0.5, 0.0]


def test_a_row_has_values_over_defaults():
    assert MUG.row({"count": 7}).tolist() == [2.0, 7.0, 0.0, 0.0, 0.5, 0.0]
    with pytest.raises(BadSettings, match=r"no parameter named 'hue'\. The parameters are energy"):
        MUG.row({"hue": 1.0})


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        (Parameter(name="a", kind="choice", items=("x",)), "two items or more"),
        (Parameter(name="a", kind="choice", items=("x", "x")), "two items or more"),
        (Parameter(name="a", kind="angle", period=0.0), "period of a is 0.0"),
        (Parameter(name="a", kind="length"), "kind 'length'; choose one of continuous"),
    ],
)
def test_bad_parameters_get_a_sentence(parameter, sentence):
    with pytest.raises(BadSettings, match=sentence):
        parameter.check()


def test_values_of_files_are_numbers_of_rows():
    flag = MUG.parameter("flag")
    assert flag.number("gone") == 2.0
    with pytest.raises(BadSettings, match="flag cannot be 'left'; it is one of up, down, gone"):
        flag.number("left")
    with pytest.raises(BadSettings, match="energy is fixed at warm; give a finite number"):
        MUG.parameter("energy").number("warm")


def test_every_kind_settles_to_single_precision_or_whole_numbers():
    for kind in KINDS:
        parameter = Parameter(name="p", kind=kind, items=("a", "b", "c"))
        settled = parameter.settle(np.array([-3.7, 0.1, 1.5, 1e9]))
        np.testing.assert_array_equal(parameter.settle(settled), settled)
