# SPDX-License-Identifier: GPL-3.0-or-later
import math
import re

import msgspec
import numpy as np
import pytest
import tomli_w

from gdr_core import messages, settings
from gdr_core.errors import BadSettings
from gdr_core.families import Distribution
from gdr_core.roles import Fixed, Optimise, Random
from gdr_core.sampling import SAMPLES
from gdr_core.settings import (
    PACES,
    RENDERERS,
    RenderSettings,
    RunSettings,
    SceneSettings,
    TargetSettings,
    TrainingSettings,
)
from gdr_core.supershape.view import reference_camera

HIDDEN = TargetSettings(hidden={"m1": Distribution(mean=2.25, std=0.1)})


def test_settings_survive_toml(tmp_path):
    original = RunSettings(
        seed=7,
        targets=HIDDEN,
        training=TrainingSettings(options={"gap": 0.5}, size=128),
        scene=SceneSettings(options={"camera": msgspec.to_builtins(reference_camera())}),
        rendering=RenderSettings(renderer="solid", worker_memory=900, recycle_after=500),
        parameters={
            "n1_1": Fixed(value=2.0),
            "m1": Optimise(distribution=Distribution()),
            "light": Random(distribution=Distribution(family="uniform", low=1.0, high=9.0)),
        },
    )
    path = tmp_path / "config.toml"
    path.write_text(tomli_w.dumps(settings.to_dict(original)))
    found = settings.from_toml(path)
    assert settings.to_dict(found) == settings.to_dict(original)
    assert found.scene.resolve().digest == original.scene.resolve().digest
    assert found.roles == original.roles


def test_defaults_are_the_reference_methods_demo():
    default = RunSettings(targets=HIDDEN)
    default.check()
    assert default.optimised == ("m1", "m2")
    assert default.sampler().start == {
        "m1": Distribution(mean=1.2, std=0.4),
        "m2": Distribution(mean=3.0, std=0.4),
    }
    assert default.roles["n1_1"] == Fixed(value=3.0)
    assert (default.training.estimator, default.training.size) == ("regression", 64)


def test_what_is_left_to_the_estimator_is_its_own():
    def pace(**given):
        filled = RunSettings(training=TrainingSettings(**given)).filled().training
        return filled.batch, filled.steps

    assert pace() == PACES["regression"] == (20, 100)
    assert pace(estimator="adversarial") == (64, 80)
    assert pace(estimator="adversarial", steps=7) == (64, 7)
    assert pace(batch=32) == (32, 100)
    assert pace(estimator="another") == (20, 100)


def test_a_file_with_its_numbers_is_read_as_it_is(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(
        '[training]\nestimator = "adversarial"\nbatch = 64\nsteps = 56\n'
        "[rendering]\nsamples = 4\n[scene.options]\ngrid = [50, 40]\n"
    )
    found = settings.from_toml(path)
    filled = found.filled()
    assert (filled.training, filled.rendering) == (found.training, found.rendering)
    assert filled.scene.options == {"grid": (50, 40)} == found.filled().filled().scene.options
    assert (found.training.batch, found.training.steps) == (64, 56)
    path.write_text("")
    assert settings.from_toml(path).training.batch is None
    assert settings.from_toml(path).rendering.samples is None
    assert settings.from_toml(path).scene.options == {}


def test_what_is_left_to_the_renderer_is_its_own():
    for name in RENDERERS:
        rendering = RunSettings(rendering=RenderSettings(renderer=name)).filled().rendering
        assert rendering.samples == SAMPLES[name].default
        rendering.check()
    assert RenderSettings(renderer="cycles", samples=9).filled().samples == 9


@pytest.mark.parametrize(("size", "side"), [(32, 92), (64, 100), (256, 148)])
def test_the_grid_follows_the_image_size_unless_it_is_given(size, side):
    training = TrainingSettings(size=size)
    assert RunSettings(training=training).filled().scene.options == {"grid": (side, side)}
    given = SceneSettings(options={"grid": [50, 40]})
    assert RunSettings(training=training, scene=given).filled().scene.options == {"grid": (50, 40)}


OLD = """
schema = 1
seed = 4
[rendering]
renderer = "fast"
grid = [50, 40]
[parameters.m1]
value = 0.0
[parameters.m1.distribution]
family = "lognormal"
mean = 1.5
std = 0.3
[parameters.a1]
value = 2.0
"""


def test_a_file_of_today_is_never_taken_for_one_of_the_first_schema(tmp_path):
    path = tmp_path / "config.toml"
    for text, sentence in (
        ('[scene]\nname = "supershape"\n[rendering]\ngrid = [50, 50]', "unknown field `grid`"),
        ('[parameters.m1]\nrole = "fixed"\n[parameters.m2]\nvalue = 1.0', "m2 has no role"),
        ('schema = 1\nrendering = "x"', "cannot be used"),
        ("schema = 1\nparameters = 3", "cannot be used"),
    ):
        path.write_text(text)
        with pytest.raises(BadSettings, match=sentence):
            settings.from_toml(path)


@pytest.mark.parametrize("text", [OLD, OLD.replace("schema = 1", "")])
def test_a_file_of_the_first_schema_is_read_as_it_was_meant(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text)
    found = settings.from_toml(path)
    assert (found.schema, found.seed, found.optimised) == (2, 4, ("m1",))
    assert found.sampler().start == {"m1": Distribution(mean=1.5, std=0.3)}
    assert found.roles["a1"] == Fixed(value=2.0)
    assert found.scene.options == {"grid": [50, 40]}
    msgspec.structs.replace(found, targets=HIDDEN).check()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"targets": TargetSettings()}, "Choose what to match"),
        ({"targets": TargetSettings(folder="x", hidden=HIDDEN.hidden)}, "one of the two"),
        ({"parameters": {"m1": Fixed(value=1.0)}}, "No parameter is optimised"),
        ({"parameters": {"q": Fixed(value=1.0)}}, "no parameter named 'q'"),
        ({"parameters": {"m1": Fixed(value="round")}}, "m1 is fixed at round; give a finite"),
        ({"parameters": {"light": Fixed(value=4.7)}}, "light is fixed at 4.7; give a whole number"),
        ({"parameters": {"light": Fixed(value=-3)}}, "fixed at -3; give a whole number from 0"),
        ({"parameters": {"m1": Fixed(value=math.inf)}}, "m1 is fixed at inf; give a finite"),
        (
            {"parameters": {"light": Optimise(distribution=Distribution())}},
            "light is of kind seed, which cannot be optimised",
        ),
        (
            {"parameters": {"m1": Optimise(distribution=Distribution(family="uniform"))}},
            "m1 cannot be optimised from the family uniform; choose one of lognormal",
        ),
        (
            {"parameters": {"m1": Random(distribution=Distribution(family="categorical"))}},
            "m1 is of kind continuous and cannot have the family categorical",
        ),
        (
            {
                "parameters": {
                    "m1": Random(distribution=Distribution()),
                    "m2": Optimise(distribution=Distribution()),
                }
            },
            "m1 is random in this run, .* a hidden one cannot be looked for",
        ),
        ({"scene": SceneSettings(name="mug")}, "no scene named 'mug'; choose one of supershape"),
        (
            {"scene": SceneSettings(options={"gird": [50, 50]})},
            "scene supershape has no option 'gird'; it has grid, camera",
        ),
        ({"scene": SceneSettings(options={"grid": "fine"})}, "options of the scene supershape"),
        (
            {"parameters": {"m1": Optimise(distribution=Distribution(std=0.0))}},
            "spread of m1 is 0.0; give a number above zero",
        ),
        (
            {
                "parameters": {
                    "m1": Optimise(distribution=Distribution(family="bounded", low=2, high=1))
                }
            },
            "bounds of m1 are 2.* and 1.*lower",
        ),
        (
            {"parameters": {"m1": Optimise(distribution=Distribution(mean=200.0))}},
            "m1 .200:0.4. reaches numbers that are too large",
        ),
        ({"training": TrainingSettings(batch=1)}, "at least 2 images"),
        ({"training": TrainingSettings(size=100)}, "32, 64, 128, 256"),
        ({"training": TrainingSettings(steps=0)}, "at least 1"),
        ({"training": TrainingSettings(max_renders=10)}, "below one batch"),
        ({"scene": SceneSettings(options={"grid": [4, 50]})}, "8 to 1000"),
        ({"rendering": RenderSettings(samples=3)}, "3 samples are not offered"),
        (
            {"rendering": RenderSettings(renderer="workbench", samples=2)},
            "2 samples are not offered by workbench; choose 1, 5, 8, 11, 16 or 32",
        ),
        (
            {"rendering": RenderSettings(renderer="cycles", samples=0)},
            "0 samples are not offered by cycles; give 1 to 65536",
        ),
        ({"rendering": RenderSettings(device="tpu")}, "no render device named 'tpu'"),
        ({"rendering": RenderSettings(workers=-1)}, "number of workers"),
        ({"rendering": RenderSettings(workers=65)}, "number of workers is 65; .* to 64"),
        ({"rendering": RenderSettings(pool="ray", workers=5000)}, "5000; .* to 4096"),
        ({"rendering": RenderSettings(pool="slurm")}, "no renderer pool named 'slurm'; .* ray"),
        ({"rendering": RenderSettings(worker_cpus=-1)}, "take -1 CPUs"),
        ({"rendering": RenderSettings(worker_gpus=math.nan)}, "nan GPUs"),
        ({"rendering": RenderSettings(worker_gpus=1.5)}, "1.5 GPUs; give a part of one or"),
        ({"rendering": RenderSettings(worker_memory=-1)}, "memory of a worker is -1 MB"),
        ({"rendering": RenderSettings(recycle_after=-1)}, "after -1 images"),
        ({"seed": -1}, "seed is -1"),
        ({"schema": 9}, "schema 9"),
    ],
)
def test_bad_settings_get_a_sentence(change, sentence):
    bad = msgspec.structs.replace(RunSettings(targets=HIDDEN), **change)
    with pytest.raises(BadSettings, match=sentence):
        bad.check()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seed = [", "cannot be read as TOML"),
        ("sed = 1", "unknown field `sed`"),
        ("[training]\nbatch_size = 3", "unknown field `batch_size` - at `$.training`"),
        ('seed = "many"', "cannot be used"),
        ('[parameters.m1]\nrole = "fixed"\nvlaue = 3', "unknown field `vlaue`"),
        ("[parameters]\nm1 = 3", "The parameter m1 is 3; give it a role"),
        ('[parameters.m1]\nrole = "free"', "The role of m1 is 'free'; choose one of fixed, random"),
        ('[parameters.m1]\nrole = "random"', "random, which needs a distribution to be drawn from"),
        ('[parameters.m1]\nrole = "optimise"', "needs a distribution to start from"),
        (
            '[parameters.m1]\nrole = "fixed"\ndistribution = { mean = 1.0 }',
            "m1 is fixed and has a distribution",
        ),
        ("[targets.hidden.m1]\nsdt = 3", "unknown field `sdt`"),
    ],
)
def test_bad_files_get_a_sentence(tmp_path, text, sentence):
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(BadSettings, match=re.escape(sentence)):
        settings.from_toml(path)
    with pytest.raises(BadSettings, match="There is no file"):
        settings.from_toml(tmp_path / "none.toml")


REQUEST = messages.RenderRequest(
    id=3,
    scene=RunSettings().filled().scene.resolve(),
    rows=np.arange(26, dtype=np.float64).reshape(2, 13),
    size=64,
    renderer="fast",
)


def test_messages_come_back_as_they_went():
    back = messages.unpack({"btid": 0, "btmid": 9, **messages.pack(REQUEST)})
    assert type(back) is messages.RenderRequest
    assert (back.id, back.samples, back.size) == (3, None, 64)
    assert back.scene.digest == REQUEST.scene.digest
    assert back.rows.dtype == np.float64
    np.testing.assert_array_equal(back.rows, REQUEST.rows)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "nonsense"},
        {"kind": "samples", "step": 1, "rows": [1, 2]},
        {"kind": "samples", "step": "one", "rows": np.zeros(3)},
        {"kind": "status", "status": "ASLEEP", "text": ""},
        {**messages.pack(REQUEST), "rows": [1]},
        {**messages.pack(REQUEST), "scene": "mug"},
        {**messages.pack(REQUEST), "scene": {"name": "mug"}},
    ],
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(msgspec.ValidationError):
        messages.unpack(data)
